// Processes of attempts. A small spawner process (see spawner.cc) starts them, so that the server
// itself never forks, and ends every one of them when the server dies.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"

namespace exec {

/// What standard output is for. Standard error is always log lines.
enum class OutputMode {
  log,     // lines of the log
  result,  // the result itself, not logged (transform)
};

/// What separates attempts from the machine and from each other.
enum class IsolationLevel {
  none,     // nothing: they are processes of the server's user
  partial,  // own mounts, processes and user, no user namespace: limits count per organization
  full,
};

struct Isolation {
  IsolationLevel level = IsolationLevel::none;
  std::string reason;  // why it is not `full`
  bool has_cgroups =
      false;  // so memory counts for all of an attempt, and processor time is bounded
};

/// How the process of Python code begins. `argv` is python_program() in mode "spawn", its standard
/// input is what that mode reads; with `fork` and `worker` an interpreter that has loaded the code
/// is used if there can be one, else a fresh one.
enum class WarmStart : std::uint32_t {
  none,
  fork,    // a child of an interpreter that has loaded the code
  worker,  // the interpreter itself, for one attempt after the other
};

struct ProcessSpec {
  std::vector<std::string> argv;  // argv[0] is a path or is looked up in the PATH of `environment`
  std::vector<std::string> environment;  // "NAME=value", the whole of it
  std::string working_directory;         // must exist
  std::string organization;              // whose it is: decides the user id it runs under
  std::string run_directory;  // below <data directory>/work; of that directory it sees only this
  std::string artifact_directory;  // below <data directory>/artifacts; it sees this too
  std::string stdin_data;
  OutputMode stdout_mode = OutputMode::log;
  bool result_channel = false;  // file descriptor 3 of the process is a pipe for its result
  std::size_t result_bytes_max = base::limits::value_bytes_max;
  std::size_t memory_bytes_max = 0;  // of all processes by cgroup, or of each by RLIMIT_DATA; 0: no
  std::size_t cpu_millis_max = 0;    // thousandths of a processor, by cgroup; 0: not limited
  std::size_t cpu_seconds_max = 0;   // RLIMIT_CPU; 0: not limited
  std::size_t file_bytes_max = 0;    // RLIMIT_FSIZE; 0: not limited
  WarmStart warm = WarmStart::none;
  std::string warm_code;                                            // what the interpreter loads
  std::size_t processes_max = base::limits::attempt_processes_max;  // when isolated
  std::chrono::milliseconds stop_grace = base::limits::stop_grace;
};

struct LogLine {
  base::Timestamp time;
  bool from_stderr = false;
  bool cut = false;  // longer than limits::log_line_bytes_max, the rest is dropped
  std::string text;  // bytes as written, without the line end
};

struct ProcessEnd {
  std::optional<base::Error> start_error;  // the process never ran: no such program, no directory
  int exit_code = 0;                       // valid when signal == 0
  int signal = 0;
  bool stopped = false;           // stop() was called before it ended
  bool result_too_large = false;  // beyond result_bytes_max; the process was killed
  std::string result;             // of the result channel, or of stdout in OutputMode::result
  bool left_children = false;     // it ended and left processes behind, which were ended too
};

/// Callbacks come from the host's thread, lines in order, `on_end` last and exactly once, only when
/// nothing that the process started lives any more.
struct ProcessCallbacks {
  std::function<void(std::vector<LogLine>)> on_lines;
  std::function<void(ProcessEnd)> on_end;
};

using ProcessId = std::uint64_t;  // never reused within one host

struct ProcessHostOptions {
  std::string spawner_path;    // program to run as the spawner: this program
  std::string data_directory;  // holds spawner.lock
  std::chrono::milliseconds lock_wait = std::chrono::seconds(10);
  bool isolate = true;                          // as far as the machine allows
  std::vector<std::string> allowed_paths = {};  // directories that every attempt may see and change
};

class ProcessHost {
 public:
  /// Starts the spawner and waits for its lock: the spawner of a server that died just before holds
  /// it until everything it had started is gone. Error `unavailable` when it does not come in time.
  static base::Result<std::unique_ptr<ProcessHost>> create(ProcessHostOptions options,
                                                           base::Clock& clock);
  /// Ends every process and the spawner.
  ~ProcessHost();

  /// Found out at the start, by a process that tried.
  const Isolation& isolation() const;

  /// Thread-safe, does not block. Errors arrive in on_end.
  ProcessId start(ProcessSpec spec, ProcessCallbacks callbacks);
  /// SIGTERM to everything the process started, after the grace SIGKILL. Thread-safe; an unknown or
  /// ended id is ignored.
  void stop(ProcessId id);
  /// Called once, from the host's thread, if the spawner itself dies: every process is then
  /// reported ended with signal SIGKILL, and start() answers with start_error.
  void on_spawner_death(std::function<void()> callback);

 private:
  class Impl;
  explicit ProcessHost(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Body of the spawner process: `dagy spawner <socket fd> <lock path> <isolate: 0 or 1> <allowed
/// paths…>`. Returns its exit code.
int run_spawner(std::span<char* const> arguments);

}  // namespace exec
