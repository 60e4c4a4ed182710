// Roles and what each may do: the table of rest-api.md "Who may call", as far as routes use it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/fields.h"

namespace model {

enum class Role { viewer, developer, admin, owner };  // each may do all that the one before may

inline std::span<const base::EnumName> enum_names(Role) {
  static constexpr std::array<base::EnumName, 4> names{{{int(Role::viewer), "viewer"},
                                                        {int(Role::developer), "developer"},
                                                        {int(Role::admin), "admin"},
                                                        {int(Role::owner), "owner"}}};
  return names;
}

enum class Permission {
  flows_read,
  flows_write,
  runs_read,
  runs_write,
  runs_trigger,
  approvals_decide,
  api_keys_read,
  api_keys_write,
  connections_read,
  connections_write,
};

inline std::span<const base::EnumName> enum_names(Permission) {
  static constexpr std::array<base::EnumName, 10> names{
      {{int(Permission::flows_read), "flows.read"},
       {int(Permission::flows_write), "flows.write"},
       {int(Permission::runs_read), "runs.read"},
       {int(Permission::runs_write), "runs.write"},
       {int(Permission::runs_trigger), "runs.trigger"},
       {int(Permission::approvals_decide), "approvals.decide"},
       {int(Permission::api_keys_read), "api_keys.read"},
       {int(Permission::api_keys_write), "api_keys.write"},
       {int(Permission::connections_read), "connections.read"},
       {int(Permission::connections_write), "connections.write"}}};
  return names;
}

/// The least role that has the permission.
constexpr Role least_role(Permission permission) {
  switch (permission) {
    case Permission::flows_read:
    case Permission::runs_read:
      return Role::viewer;
    case Permission::flows_write:
    case Permission::runs_write:
    case Permission::runs_trigger:
    case Permission::approvals_decide:
    case Permission::connections_read:
      return Role::developer;
    case Permission::api_keys_read:
    case Permission::api_keys_write:
    case Permission::connections_write:
      return Role::admin;
  }
  return Role::owner;
}

constexpr bool has_permission(Role role, Permission permission) {
  return role >= least_role(permission);
}

/// What a credential is restricted to, beside its owner's role.
class Scopes {
 public:
  bool is_restricted() const { return restricted_; }
  bool is_listed(Permission permission) const { return bits_ & bit(permission); }
  bool allows(Permission permission) const { return !restricted_ || is_listed(permission); }
  void restrict() { restricted_ = true; }
  void add(Permission permission) {
    restricted_ = true;
    bits_ |= bit(permission);
  }

 private:
  static constexpr std::uint64_t bit(Permission permission) {
    return std::uint64_t{1} << static_cast<int>(permission);
  }
  bool restricted_ = false;
  std::uint64_t bits_ = 0;
};

}  // namespace model
