// The writer: the one thread that writes a SQLite database, committing many callers' work at once.
//
// A transaction takes whatever waits, each caller in a savepoint, up to a number of rows and a slice
// of time, and is committed as soon as nothing more waits; every caller is answered after COMMIT.
// Some errors roll the whole transaction back; the callers that had already run are then run again,
// one by one, so their functions must be repeatable.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/thread_safety.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace store {

class Writer {
 public:
  Writer(std::unique_ptr<SqliteConnection> connection, base::Clock& clock);
  ~Writer();  // answers what waits, then stops

  /// Thread-safe, blocks until durable. `unavailable` when the queue is full or the writer stops.
  base::Result<> write(const TxFunction& fn, Priority priority);

 private:
  struct Job {
    const TxFunction* fn;
    base::Result<> result;
    base::Mutex mutex;
    base::CondVar done_changed;
    bool done GUARDED_BY(mutex) = false;
  };

  void loop();
  Job* take(bool wait);
  Job* front() REQUIRES(mutex_);
  void transaction(Job* first);
  bool run_in_transaction(Job* job, bool first);
  void run_alone(Job* job);
  void finish(Job* job);
  void checkpoint_if_due(bool idle);

  std::unique_ptr<SqliteConnection> connection_;
  base::Clock& clock_;
  base::Mutex mutex_;
  base::CondVar queue_changed_;
  std::array<std::deque<Job*>, 3> queues_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace store
