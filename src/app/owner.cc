#include "app/owner.h"

#include <fmt/format.h>

#include "auth/accounts.h"
#include "base/ids.h"

namespace app {

namespace {

base::Result<> check(const Settings& settings) {
  if (!auth::email_rule.holds(settings.owner_email))
    return base::invalid(fmt::format("DAGY_OWNER_EMAIL {}", auth::email_rule.message));
  if (!settings.owner_password.empty() &&
      settings.owner_password.size() < base::limits::password_bytes_min)
    return base::invalid(fmt::format("DAGY_OWNER_PASSWORD must have at least {} bytes",
                                     base::limits::password_bytes_min));
  return {};
}

}  // namespace

base::Result<std::optional<NewOwner>> make_owner(store::Store& store, auth::PasswordHasher& hasher,
                                                 base::Clock& clock, base::Random& random,
                                                 const Settings& settings) {
  bool exists = false;
  TRY(store.read([&](store::Tx& tx) -> base::Result<> {
    exists = TRY(auth::has_users(tx));
    return {};
  }));
  if (exists) return std::optional<NewOwner>();
  TRY(check(settings));
  bool one_time = settings.owner_password.empty();
  std::string password = one_time ? base::random_token(random, 15) : settings.owner_password;
  base::Timestamp now = clock.now();
  std::string org_id = base::new_id("org", now, random);
  auth::User owner{base::new_id("usr", now, random), settings.owner_email, hasher.hash(password),
                   one_time, /*super_admin=*/true};
  TRY(store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(auth::insert_organization(tx, auth::Tenancy::one, org_id, "Default", "default", now));
    TRY(auth::insert_user(tx, owner, now));
    return auth::set_role(tx, org_id, owner.user_id, model::Role::owner, now);
  }));
  NewOwner made{settings.owner_email, std::nullopt};
  if (one_time) made.one_time_password = password;
  return std::optional(std::move(made));
}

}  // namespace app
