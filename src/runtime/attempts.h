// The executor on this machine: attempts as processes under the spawner, or as calls of the server.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <tuple>

#include "base/thread_safety.h"
#include "exec/process.h"
#include "net/http_client.h"
#include "nodes/catalog.h"
#include "runtime/connections.h"
#include "runtime/evaluator.h"
#include "runtime/executor.h"
#include "runtime/run_loop.h"
#include "runtime/work_pool.h"
#include "store/artifact_files.h"
#include "store/log_chunk.h"
#include "store/objects.h"

namespace runtime {

struct AttemptPlaces {
  std::string work_root;  // holds one working directory a live run
  std::string sdk_path;   // the Python SDK that tasks import; empty: a small stand-in
};

class Attempts : public Executor {
 public:
  Attempts(std::unique_ptr<exec::ProcessHost> host, std::unique_ptr<net::HttpClient> http,
           Evaluator& evaluator, const Connections& connections, store::Objects& objects,
           store::ArtifactFiles& artifacts, base::Clock& clock, AttemptPlaces places);
  ~Attempts() override;

  /// Ends every process and call. What they report from now on is not recorded, so their attempts
  /// count as lost with this server. Nothing may be started any more. Safe to call twice.
  void shut_down();

  /// Runs one process that belongs to no run, isolated like those that do; it must end by itself.
  /// `unavailable` when there are too many. `done` comes once, from another thread.
  base::Result<> run_alone(exec::ProcessSpec process, std::function<void(exec::ProcessEnd)> done);

  /// Where reports go. Must be called before the first start().
  void report_to(RunLoop& loop) { loop_ = &loop; }

  /// Removes the working directories of all runs but these. At the start, when no attempt of an
  /// earlier server lives any more; a live run finds its files again.
  void keep_directories(const std::vector<base::RunId>& live);

  void start(AttemptStart attempt) override;
  void stop(base::RunId run, model::TaskIndex task, int epoch) override;
  void compute(ComputeStart compute) override;
  void collect(ChildEnd end) override;
  void finished(base::RunId run) override;

 private:
  using Key = std::tuple<base::RunId, model::TaskIndex, int>;
  struct Attempt;

  void launch(const std::shared_ptr<Attempt>& attempt);
  void start_child(const std::shared_ptr<Attempt>& attempt);
  base::Result<nodes::NodeContext> context_of(const Attempt& attempt, TaskValues& values);
  base::Result<nodes::Prepared> prepare(Attempt& attempt, TaskValues& values);
  void converse(const std::shared_ptr<Attempt>& attempt);
  void go_on(const std::shared_ptr<Attempt>& attempt, net::HttpEnd* last);
  void take_lines(const std::shared_ptr<Attempt>& attempt, std::vector<exec::LogLine> lines);
  void end(const std::shared_ptr<Attempt>& attempt, exec::ProcessEnd end);
  void report(const std::shared_ptr<Attempt>& attempt, nodes::Outcome outcome);
  engine::AttemptReport report_of(const Attempt& attempt, nodes::Outcome outcome);
  void forget(const std::shared_ptr<Attempt>& attempt);
  void flush_loop();
  std::string work_directory(base::RunId run) const;

  std::unique_ptr<exec::ProcessHost> host_;
  std::unique_ptr<net::HttpClient> http_;
  Evaluator& evaluator_;
  const Connections& connections_;
  store::Objects& objects_;
  store::ArtifactFiles& artifacts_;
  base::Clock& clock_;
  const AttemptPlaces places_;
  RunLoop* loop_ = nullptr;
  std::atomic<int> alone_ = 0;  // processes of run_alone
  std::atomic<std::uint64_t> alone_number_ = 0;

  base::Mutex mutex_;
  base::CondVar dirty_changed_;
  std::map<Key, std::shared_ptr<Attempt>> attempts_ GUARDED_BY(mutex_);
  std::set<std::shared_ptr<Attempt>> dirty_ GUARDED_BY(mutex_);  // with lines not yet sent
  /// Bytes logged by each task run of the live runs that had a process.
  std::map<base::RunId, std::map<model::TaskIndex, std::shared_ptr<std::size_t>>> log_bytes_
      GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread flusher_;
  WorkPool pool_;
};

}  // namespace runtime
