// The spawner's nests: those in which attempts live, and spare ones for the next.
#pragma once

#include <poll.h>

#include <deque>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "exec/nest.h"
#include "exec/process_tree.h"
#include "exec/spawner_protocol.h"

namespace exec {

class NestTable {
 public:
  NestTable(const base::Clock& clock, NestOptions options);

  void start(Request request);
  void stop(ProcessId id);
  void kill(ProcessId id);

  /// Adds what this waits for.
  void add_waits(std::vector<pollfd>& waits) const;
  void on_ready(const pollfd& wait);
  /// A child has died.
  void reap();
  /// What is due: a nest that does not answer, a spare one.
  void on_time();
  /// Milliseconds until on_time() has something to do; -1: nothing.
  int wait_ms() const;
  /// Reports to send, oldest first.
  std::deque<Report>& reports() { return reports_; }

 private:
  struct Nest {
    pid_t pid = -1;
    UniqueFd socket;           // closed: the nest is to end
    ProcessId attempt = 0;     // 0: spare or idle
    std::string organization;  // of the attempts that have been in it
    std::string run_directory;
    bool reported = false;      // the attempt's end
    bool stopped = false;       // stop() was called
    base::Duration grace{};     // of the attempt
    int setup_error = 0;        // errno
    base::SteadyTime kill_at;   // when it has not answered by then
    base::SteadyTime close_at;  // when it is idle until then
  };

  Nest* take(const std::string& organization, const std::string& run_directory);
  void close(Nest& nest);
  void set_idle(Nest& nest);
  Nest* make();
  Nest* of_attempt(ProcessId id);
  int add_run_mount(Request& request, const std::string& path) const;
  int pass_on(Nest& nest, Request request) const;
  void order(Nest& nest, RequestKind kind, base::Duration patience);
  void receive(Nest& nest);
  void take_report(Nest& nest, const Report& report);
  void fail(ProcessId id, StartStage stage, int error);
  void on_death(Nest& nest);
  void kill_strangers();

  const base::Clock& clock_;
  const NestOptions options_;
  OwnChildren own_children_;
  PacketReader reader_;
  std::unordered_map<pid_t, Nest> nests_;
  std::unordered_map<ProcessId, pid_t> attempts_;
  std::deque<pid_t> spares_;
  std::deque<pid_t> idle_;  // the longest idle first
  std::deque<Report> reports_;
  bool makes_spares_ = true;  // not after one could not be made, until one could
};

}  // namespace exec
