// Which user id the attempts of an organization run under.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace exec {

/// A server that is root gives each organization a user id of its own, out of a range that nothing
/// else uses. Any other server has but its own id.
class AttemptUsers {
 public:
  /// Looks at this process and at the ids that its user namespace has.
  static AttemptUsers detect();

  /// Whether attempts get ids other than the server's.
  bool has_range() const { return count_ > 0; }
  /// User and group id of an attempt of this organization. The same in every server of a machine;
  /// two organizations share one with a chance of one in 16 million.
  std::uint32_t id_of(std::string_view organization) const;
  /// Gives a process in a new user namespace its ids: the server's own and the range. From the
  /// parent namespace. Errno, or 0.
  int write_maps(pid_t pid) const;

 private:
  std::uint32_t own_ = 0;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
};

/// Puts this process, which has one thread, into a user namespace with its own id alone and into a
/// mount namespace, where it has every capability. Errno, or 0.
int enter_own_namespaces();

}  // namespace exec
