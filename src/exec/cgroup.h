// Limits of attempts by cgroup v2, where the server has one that it may divide.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace exec {

struct CgroupLimits {
  std::uint64_t memory_bytes_max = 0;  // of all processes together; 0: not limited
  std::uint64_t processes_max = 0;
  std::uint64_t cpu_millis_max = 0;  // thousandths of a processor; 0: not limited
};

class CgroupTree {
 public:
  /// Prepares the cgroup of this process, at `path` below `mount`: it must be writable, have the
  /// controllers cpu, memory and pids, and hold no processes but `own`, which move into a leaf of
  /// it. `unavailable` says what is missing.
  static base::Result<CgroupTree> open(const std::string& mount, const std::string& path,
                                       const std::vector<pid_t>& own);
  /// The same, of where this process is; its parent, the server, comes along.
  static base::Result<CgroupTree> find();

  /// Puts a process into a cgroup of its own, with all that it will start. Errno, or 0.
  int put(pid_t pid, const CgroupLimits& limits) const;
  /// After its end.
  void remove(pid_t pid) const;

 private:
  explicit CgroupTree(std::string root) : root_(std::move(root)) {}
  std::string of(pid_t pid) const;
  std::string root_;
};

}  // namespace exec
