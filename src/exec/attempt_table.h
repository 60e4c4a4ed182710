// The books of a nest (nest.h): which processes belong to which attempt, how each ends, what is
// left behind.
//
// While the main process of an attempt lives, everything it started stays below it, because it is a
// subreaper. When it dies, what is left becomes a child of the nest: an orphan. Each orphan is
// attributed to its attempt, and the attempt has ended when its main process and all orphans are
// dead and reaped.
#pragma once

#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "exec/launch.h"
#include "exec/process_tree.h"
#include "exec/spawner_protocol.h"

namespace exec {

class AttemptTable {
 public:
  /// The id of a nest's warm interpreter (warm_interpreter.h). No attempt has it.
  static constexpr ProcessId interpreter_id = ~ProcessId{0};

  struct Options {
    std::string marker_prefix;   // of the variable that attempts are marked with; empty: none
    Privileges privileges = {};  // that attempts give up
    bool is_init = false;        // of a pid namespace: every process there is an attempt's
  };
  AttemptTable(const base::Clock& clock, Options options);

  /// The process id of its main process, or -1: then a report says why.
  pid_t start(const Request& request);
  /// The variable that marks an attempt's processes; empty where none does.
  std::string marker_of(ProcessId id) const;
  /// A child of this process that no attempt has becomes this one's. False: an attempt has it.
  bool take_child(ProcessId id, pid_t pid);
  bool has_child(pid_t pid) const { return children_.contains(pid); }
  /// A child of this process, which another attempt had, becomes the main process of a new one.
  void assign(ProcessId id, pid_t pid, base::Duration grace);
  void set_grace(ProcessId id, base::Duration grace);
  /// SIGTERM to everything of the attempt, after its grace SIGKILL. Unknown ids are ignored.
  void stop(ProcessId id);
  /// SIGKILL to everything of the attempt.
  void kill(ProcessId id);
  /// A child has died.
  void reap();
  /// What is due: the end of a grace period, another round of SIGKILL.
  void on_time();
  /// Milliseconds until on_time() has something to do; -1: nothing.
  int wait_ms() const;
  bool has(ProcessId id) const { return attempts_.contains(id); }
  bool is_empty() const { return attempts_.empty(); }
  /// Reports to send, oldest first.
  std::deque<Report>& reports() { return reports_; }

 private:
  enum class Phase { running, asked, killing };
  struct Attempt {
    Phase phase = Phase::running;
    pid_t main = 0;
    bool main_alive = true;
    std::size_t children = 1;  // of the nest: the main process and orphans
    base::Duration grace{};
    base::SteadyTime due{};  // when phase is not `running`
    Report report;
    std::unordered_set<pid_t> asked = {};  // have got SIGTERM
  };
  using Owners = std::vector<ProcessId>;

  void add(ProcessId id, pid_t main, base::Duration grace);
  void note_exit(ProcessId id, pid_t pid, int code, int status);
  bool reap_dead();
  bool adopt_orphans();
  void adopt(pid_t pid, const ProcessStat& stat);
  ProcessId owner_of(pid_t pid, const ProcessStat& stat) const;
  void settle(ProcessId id);
  void ask(ProcessId id, Attempt& attempt);
  void kill_now(ProcessId id, Attempt& attempt);
  std::vector<pid_t> processes_of(ProcessId id, const Attempt& attempt) const;

  const base::Clock& clock_;
  const Options options_;
  Launcher launcher_;
  OwnChildren own_children_;
  std::unordered_map<ProcessId, Attempt> attempts_;
  std::unordered_map<pid_t, Owners> children_;     // of the nest, alive or not yet reaped
  std::unordered_map<pid_t, ProcessId> sessions_;  // each attempt begins with a session of its own
  Owners bereaved_;  // attempts that have lost a process and are to be settled
  std::deque<Report> reports_;
};

/// SIGKILL to all that descends from this process, until nothing of it is left.
void kill_all_descendants();

}  // namespace exec
