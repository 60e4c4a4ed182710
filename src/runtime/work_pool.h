// A few threads for work that may block on the disk, so that neither the run loop nor the process
// host does. Jobs start in order.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/thread_safety.h"

namespace runtime {

class WorkPool {
 public:
  explicit WorkPool(std::size_t threads);
  ~WorkPool();  // as finish()
  void submit(std::function<void()> job);
  /// Runs what waits, then ends the threads; jobs that come later run within submit().
  void finish();

 private:
  void run();

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace runtime
