// Who follows live runs hears of each commit, right after it. Subscribers are few beside runs: a
// commit that nobody follows costs one look at a number.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_safety.h"
#include "engine/record.h"
#include "runtime/shard.h"
#include "store/log_chunk.h"

namespace runtime {

struct NewsLine {
  std::string task_run;  // `<task id>[:<map index>]`
  int attempt = 0;
  store::LogRecord record;
};

/// What one commit made of a run.
struct RunNews {
  base::RunId run{};
  std::int64_t seq = 0;
  base::Timestamp at;
  model::RunStatus status{};
  std::optional<model::Failure> failure;
  bool status_changed = false;
  bool is_finished = false;               // nothing of it lives any more
  std::vector<engine::TaskRecord> tasks;  // those that changed
  std::vector<NewsLine> lines;            // numbered from 0
};

/// The task runs that the facts are about, each once, in order.
std::vector<model::TaskIndex> changed_tasks(const std::vector<engine::Fact>& facts,
                                            const engine::RunState& state);
/// Whether the facts change the status of the run.
bool changes_status(const std::vector<engine::Fact>& facts);

class RunFeed : public CommitObserver {
 public:
  struct Listener {
    /// Called on the shard's thread, in the order of commits; must not block. False: no more.
    std::function<bool(const RunNews&)> hear;
    /// Whoever listened has gone. From any thread.
    std::function<bool()> is_gone;
  };

  /// Thread-safe. False when stream_clients_max listen already.
  bool subscribe(base::RunId run, Listener listener);

  void committed(const LiveRun& run, base::Timestamp at) override;

 private:
  base::Mutex mutex_;
  std::multimap<base::RunId, Listener> listeners_ GUARDED_BY(mutex_);
  std::atomic<std::size_t> count_ = 0;
};

}  // namespace runtime
