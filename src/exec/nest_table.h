// The spawner's nests: those in which attempts live, spare ones for the next, and those of warm
// interpreters.
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
  /// What is due: a nest that does not answer, one that is idle, a spare one.
  void on_time();
  /// Milliseconds until on_time() has something to do; -1: nothing.
  int wait_ms() const;
  /// Reports to send, oldest first.
  std::deque<Report>& reports() { return reports_; }

 private:
  struct Nest {
    pid_t pid = -1;
    UniqueFd socket;           // closed: the nest is to end
    std::string organization;  // of the attempts that have been in it
    std::string run_directory;
    std::string artifact_directory;  // that it has
    bool used = false;               // has had an attempt
    std::size_t attempts = 0;        // in it now
    int setup_error = 0;             // errno
    base::SteadyTime kill_at;        // when it has not ended by then
    base::SteadyTime close_at;       // when it is idle until then
    // Of a warm interpreter:
    std::string warm_key = {};
    bool importing = false;
    bool gone = false;      // it takes no more
    std::size_t ready = 0;  // attempts that it can take
    base::SteadyTime last_used = {};
  };
  struct Attempt {
    pid_t nest = -1;
    base::Duration grace{};
    bool stopped = false;      // stop() was called
    base::SteadyTime kill_at;  // of the nest, when it has not ended by then
  };
  /// What waits for an interpreter, or why there is none.
  struct WarmKey {
    std::deque<Request> waiting;
    Refusal refusal = Refusal::none;
    base::SteadyTime refused_until = {};
  };

  void start_cold(Request request);
  Nest* take(const RequestTexts& texts);
  Nest* make();
  void close(Nest& nest);
  void set_idle(Nest& nest);
  void put(Nest& nest, Request request, bool with_run);
  int add_run_mount(Request& request, const std::string& path) const;
  int add_artifact_mount(Nest& nest, Request& request) const;
  int pass_on(Nest& nest, Request request) const;
  int limit(const Nest& nest, RequestHeader& header) const;
  void order(ProcessId id, RequestKind kind, base::Duration patience);
  void receive(Nest& nest);
  void take_report(Nest& nest, const Report& report);
  void fail(ProcessId id, StartStage stage, int error);
  void on_death(Nest& nest);
  void kill_strangers();

  // nest_table_warm.cc
  void start_warm(Request request);
  void serve(const std::string& key);
  bool make_warm(const std::string& key, const Request& first);
  bool make_room();
  std::size_t warm_bytes() const;
  void refuse(const std::string& key, Refusal refusal);
  void start_fresh(Request request, Refusal refusal);
  void drop_waiting(ProcessId id);
  void end_idle_interpreters();
  void on_warm_report(Nest& nest, const Report& report);
  void on_warm_death(const Nest& nest);
  void forget_keys();

  const base::Clock& clock_;
  const NestOptions options_;
  OwnChildren own_children_;
  PacketReader reader_;
  std::unordered_map<pid_t, Nest> nests_;
  std::unordered_map<ProcessId, Attempt> attempts_;
  std::unordered_map<std::string, WarmKey> warm_;
  std::deque<pid_t> spares_;
  std::deque<pid_t> idle_;  // the longest idle first
  std::deque<Report> reports_;
  bool makes_spares_ = true;  // not after one could not be made, until one could
};

}  // namespace exec
