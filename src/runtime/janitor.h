// Housekeeping in small batches: rows and files that mean nothing any more.
#pragma once

#include <thread>

#include "base/clock.h"
#include "base/thread_safety.h"
#include "store/objects.h"
#include "store/store.h"

namespace runtime {

class Janitor {
 public:
  Janitor(store::Store& store, store::Objects& objects, base::Clock& clock);
  ~Janitor();
  void start();
  void stop();
  /// One round, also for tests: journal rows of runs that no longer live, keys older than
  /// yesterday, expired tokens and uploads, artifacts that no flow version names, objects that
  /// nothing names and that are older than a day.
  base::Result<> round();

 private:
  void run();

  store::Store& store_;
  store::Objects& objects_;
  base::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace runtime
