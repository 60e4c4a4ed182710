#include "app/admin.h"

#include <fmt/format.h>

#include <iostream>

#include "app/database.h"
#include "app/process_host.h"
#include "auth/accounts.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/ids.h"
#include "store/engine_sql.h"

namespace app {

namespace {

// What an offline command works with; holds the lock of the data directory.
struct Offline {
  DataDirectory directory;
  std::unique_ptr<store::Store> store;
  base::SystemClock clock;
  base::SystemRandom random;

  store::AuditRow audit(const std::string& org_id, std::string action, std::string type,
                        std::string id) {
    store::AuditRow row;
    row.created_at = clock.now();
    row.audit_id = base::new_id("aud", row.created_at, random);
    row.org_id = org_id;
    row.actor_type = "system";
    row.action = std::move(action);
    row.resource_type = std::move(type);
    row.resource_id = std::move(id);
    return row;
  }
};

base::Result<std::unique_ptr<Offline>> go_offline(const Settings& settings) {
  auto directory = TRY(DataDirectory::open(settings.data_dir));
  auto offline = std::make_unique<Offline>(Offline{std::move(directory), nullptr, {}, {}});
  offline->store = TRY(open_database(settings, offline->clock));
  return offline;
}

base::Result<model::Role> read_role(const std::string& name) {
  auto role = base::enum_from_name<model::Role>(name);
  if (!role) return base::invalid("role must be one of: viewer, developer, admin, owner");
  return *role;
}

base::Result<std::string> require_organization(store::Tx& tx, const std::string& slug) {
  auto org_id = TRY(auth::find_organization(tx, slug));
  if (!org_id) return base::not_found("no organization '" + slug + "'");
  return *org_id;
}

base::Result<auth::User> require_user(store::Tx& tx, const std::string& email) {
  auto user = TRY(auth::find_user(tx, email));
  if (!user) return base::not_found("no user " + email);
  return *user;
}

// A line of standard input, or a fresh password that is then printed.
base::Result<std::pair<std::string, bool>> read_password(base::Random& random) {
  std::string password;
  std::getline(std::cin, password);
  if (password.empty()) return std::pair(base::random_token(random, 15), true);
  if (password.size() < base::limits::password_bytes_min ||
      password.size() > base::limits::password_bytes_max)
    return base::invalid(fmt::format("a password must have {} to {} bytes",
                                     base::limits::password_bytes_min,
                                     base::limits::password_bytes_max));
  return std::pair(std::move(password), false);
}

}  // namespace

base::Result<> add_organization(const Settings& settings, const OrganizationOrder& order) {
  if (!base::name_rule.holds(order.slug))
    return base::invalid(fmt::format("slug {}", base::name_rule.message));
  auto offline = TRY(go_offline(settings));
  auth::Tenancy tenancy = TRY(find_tenancy(settings, offline->directory, offline->clock));
  std::string org_id = base::new_id("org", offline->clock.now(), offline->random);
  store::AuditRow audit = offline->audit(org_id, "organization.create", "organization", org_id);
  TRY(offline->store->write([&](store::Tx& tx) -> base::Result<> {
    TRY(auth::insert_organization(tx, tenancy, org_id, order.name, order.slug, audit.created_at));
    return store::insert_audit(tx, audit);
  }));
  fmt::print("{}\n", org_id);
  return {};
}

base::Result<> add_user(const Settings& settings, const UserOrder& order) {
  if (!auth::email_rule.holds(order.email))
    return base::invalid(fmt::format("e-mail {}", auth::email_rule.message));
  model::Role role = TRY(read_role(order.role));
  auto offline = TRY(go_offline(settings));
  std::optional<auth::User> existing;
  TRY(offline->store->read([&](store::Tx& tx) -> base::Result<> {
    existing = TRY(auth::find_user(tx, order.email));
    return {};
  }));
  std::pair<std::string, bool> password;
  base::Timestamp now = offline->clock.now();
  auth::User user;
  if (existing) {
    user = *existing;
  } else {
    password = TRY(read_password(offline->random));
    user = {base::new_id("usr", now, offline->random), order.email,
            auth::PasswordHasher().hash(password.first), password.second, false};
  }
  TRY(offline->store->write([&](store::Tx& tx) -> base::Result<> {
    std::string org_id = TRY(require_organization(tx, order.organization));
    if (!existing) TRY(auth::insert_user(tx, user, now));
    TRY(auth::set_role(tx, org_id, user.user_id, role, now));
    return store::insert_audit(tx, offline->audit(org_id, "user.add", "user", user.user_id));
  }));
  fmt::print("{}\n", user.user_id);
  if (password.second) fmt::print("One-time password: {}\n", password.first);
  return {};
}

base::Result<> grant(const Settings& settings, const GrantOrder& order) {
  if (!order.super_admin && (!order.organization || !order.role))
    return base::invalid("grant needs --super-admin, or --org and --role");
  auto offline = TRY(go_offline(settings));
  return offline->store->write([&](store::Tx& tx) -> base::Result<> {
    auth::User user = TRY(require_user(tx, order.email));
    if (order.super_admin) TRY(auth::set_super_admin(tx, user.user_id, true));
    std::string org_id;
    if (order.organization && order.role) {
      model::Role role = TRY(read_role(*order.role));
      org_id = TRY(require_organization(tx, *order.organization));
      TRY(auth::set_role(tx, org_id, user.user_id, role, offline->clock.now()));
    }
    return store::insert_audit(tx, offline->audit(org_id, "user.grant", "user", user.user_id));
  });
}

}  // namespace app
