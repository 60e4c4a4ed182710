// The first start: one organization and its owner.
#pragma once

#include "app/settings.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "store/store.h"

namespace app {

/// Makes the organization "default" and its owner if there is no user yet, and prints who it is.
/// True when it did. `invalid` when the given e-mail or password breaks a rule.
base::Result<bool> make_owner(store::Store& store, auth::PasswordHasher& hasher, base::Clock& clock,
                              base::Random& random, const Settings& settings);

}  // namespace app
