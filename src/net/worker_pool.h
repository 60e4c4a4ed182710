// A fixed number of threads and a bounded queue of complete requests.
#pragma once

#include <deque>
#include <optional>
#include <thread>
#include <vector>

#include "base/thread_safety.h"
#include "net/body_charge.h"
#include "net/server.h"

namespace net {

class WorkerPool {
 public:
  struct Job {
    Request request;
    Responder responder;
    BodyCharge charge = {};
  };

  /// An exception of `handler` is logged and answered with 500.
  WorkerPool(std::size_t workers, std::size_t queue_max, Handler handler, ErrorPage error_page);
  ~WorkerPool() { stop(); }

  void start();
  /// False, and `job` untouched, when the queue is full or the pool stopped. Never blocks for long.
  bool submit(Job& job) EXCLUDES(mutex_);
  /// Drops what is queued and waits for the handlers under way.
  void stop() EXCLUDES(mutex_);

 private:
  // One sleeping worker; lives on its stack.
  struct Sleeper {
    base::CondVar woken;
    bool called = false;  // guarded by mutex_
  };

  void run();
  std::optional<Job> next_job() EXCLUDES(mutex_);
  void sleep() REQUIRES(mutex_);
  void call_one() REQUIRES(mutex_);
  void handle(Job job);

  const std::size_t workers_;
  const std::size_t queue_max_;
  const Handler handler_;
  const ErrorPage error_page_;
  std::vector<std::thread> threads_;  // touched by the owner only

  base::Mutex mutex_;
  std::deque<Job> queue_ GUARDED_BY(mutex_);
  std::vector<Sleeper*> sleepers_ GUARDED_BY(mutex_);
  bool calling_ GUARDED_BY(mutex_) = false;  // a called worker is not awake yet
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace net
