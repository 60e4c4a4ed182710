// The first start: one organization and its owner.
#pragma once

#include <optional>
#include <string>

#include "app/settings.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "store/store.h"

namespace app {

struct NewOwner {
  std::string email;
  std::optional<std::string> one_time_password;  // when none was given
};

/// Makes the organization "default" and its owner if there is no user yet. `invalid` when the given
/// e-mail or password breaks a rule.
base::Result<std::optional<NewOwner>> make_owner(store::Store& store, auth::PasswordHasher& hasher,
                                                 base::Clock& clock, base::Random& random,
                                                 const Settings& settings);

}  // namespace app
