// A nest's warm interpreter (python_program.h): it has loaded the code once, and attempts run in
// children forked from it, or in itself. Attempts of one interpreter are of one organization and
// one code; they share the nest's namespaces, each has its run's working directory.
//
// Its control socket. To the interpreter: "fork" (one child more), or for a worker an attempt. From
// it: "loaded", "refused <Refusal>", "spare" with the socket of a child, "ready", "done <code>". A
// child says its process id, is told "go", makes a session, says "set", and waits for its attempt:
// directory and variables, each but the last ended by a zero byte, with descriptors 0 to 3.
#pragma once

#include <poll.h>

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "exec/attempt_table.h"
#include "exec/file_view.h"

namespace exec {

class WarmInterpreter {
 public:
  static constexpr ProcessId own_id = AttemptTable::interpreter_id;

  /// Starts it. `table` has its end, and refusals, as reports.
  WarmInterpreter(AttemptTable& table, const FileView* view, Request request);

  void add_waits(std::vector<pollfd>& waits) const;
  void on_ready(const pollfd& wait);
  /// Gives it an attempt; `request` has the run's mount as its last descriptor, unless the last
  /// attempt was of the same run.
  void give(Request request);
  /// Whose process is the interpreter itself: to end this attempt is to end the interpreter.
  bool runs_itself(ProcessId id) const { return worker_ && active_ == id; }
  /// The table has reported its end.
  void on_end(const Report& report);
  /// An attempt has ended.
  void on_attempt_end(ProcessId id);
  bool is_gone() const { return gone_; }

 private:
  struct Spare {
    UniqueFd socket;
    pid_t pid = -1;
  };
  struct Run {
    std::size_t attempts = 0;
    bool placed = false;
  };

  void on_control();
  void on_message(std::string_view message, std::vector<UniqueFd> fds);
  enum class Step { wait, done, wrong };
  Step on_spare(Spare& spare);
  void on_done(int code);
  void end_children_of_worker(bool& left);
  void order_child();
  bool accepts(std::string_view message) const;
  void tell(ReportKind kind, int error = 0);
  ViewFailure enter_run(Request& request);

  AttemptTable& table_;
  const FileView* const view_;
  const bool worker_;
  pid_t pid_ = -1;
  UniqueFd control_;
  std::size_t ordered_ = 0;    // children that it has been asked for
  std::vector<Spare> coming_;  // that have not said who they are
  std::deque<Spare> spares_;
  ProcessId active_ = 0;  // of a worker
  bool offered_ = false;  // a worker has said that it is ready
  std::map<std::string, Run> runs_;
  std::map<ProcessId, std::string> run_of_;
  bool loaded_ = false;
  bool refused_ = false;
  bool gone_ = false;
};

}  // namespace exec
