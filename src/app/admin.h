// `dagy admin …`: offline commands on a data directory that no server uses.
#pragma once

#include <optional>
#include <string>

#include "app/settings.h"
#include "base/result.h"

namespace app {

struct OrganizationOrder {
  std::string name;
  std::string slug;
};
struct UserOrder {
  std::string email;
  std::string organization;  // slug
  std::string role;
};
struct GrantOrder {
  std::string email;
  std::optional<std::string> organization;  // with a role
  std::optional<std::string> role;
  bool super_admin = false;
};

/// Prints the id of the new organization. A second organization needs allow_unisolated, since tasks
/// are not yet isolated from each other.
base::Result<> add_organization(const Settings& settings, const OrganizationOrder& order);
/// Adds a user, or an existing user to a further organization. The password is read as one line of
/// standard input; when that is empty a one-time password is made and printed.
base::Result<> add_user(const Settings& settings, const UserOrder& order);
/// Changes a role, or makes a super admin.
base::Result<> grant(const Settings& settings, const GrantOrder& order);

}  // namespace app
