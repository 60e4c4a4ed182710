// What /proc says of running processes: who descends from whom, and which attempt one belongs to.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/unique_fd.h"

namespace exec {

struct ProcessStat {
  char state = 0;  // 'Z': dead, waits to be reaped
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
};

/// Nothing when the process is gone.
std::optional<ProcessStat> read_stat(pid_t pid);

/// The direct children of this thread. Complete as long as the caller alone reaps them.
class OwnChildren {
 public:
  OwnChildren();
  std::vector<pid_t> list() const;

 private:
  UniqueFd file_;
};

/// Adds `root` and all that descends from it. Processes that fork or die meanwhile may be missed,
/// so who must find everything walks again.
void append_tree(pid_t root, std::vector<pid_t>& out);

/// Signals the process groups of `pids`, whole: a group is signalled atomically, so none of it
/// slips away by forking. Only for processes whose sessions began below the caller, so that a group
/// holds no stranger; the caller's own group is never signalled as one.
void signal_groups(const std::vector<pid_t>& pids, int signal);

/// The marker variable that every process of an attempt inherits:
/// "DAGY_ATTEMPT_TOKEN=<prefix><id>". The prefix names the data directory by the device and inode
/// of its lock file.
inline constexpr std::string_view marker_name = "DAGY_ATTEMPT_TOKEN=";
std::string marker_prefix(dev_t device, ino_t inode);
/// The attempt id in the environment of `pid`, if it carries that prefix.
std::optional<std::uint64_t> marked_attempt(pid_t pid, std::string_view prefix);

/// SIGKILL to every marked process on this machine except `spared`, until none is left or the time
/// is over. For what outlived a spawner that was itself killed. Returns true when none is left.
bool kill_marked(std::string_view prefix, pid_t spared);

}  // namespace exec
