// The writer: one connection writes a SQLite database, one thread at a time, many callers a commit.
//
// A caller that finds nobody writing leads: it runs its own work and whatever waits in one
// transaction, each in a savepoint, up to a number of rows and a slice of time, commits, answers
// the others and passes the lead on. So a commit costs no change of thread when one caller is
// alone, and one fsync for all when many wait. Some errors roll the whole transaction back; the
// callers that had already run are then run again, one by one, so their functions must be
// repeatable. Decision: docs/decisions/0006-the-caller-writes.md.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/thread_safety.h"
#include "store/readers.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace store {

class Writer {
 public:
  Writer(std::unique_ptr<SqliteConnection> connection, Readers& readers, base::Clock& clock);
  ~Writer();  // no write() may be under way

  /// Thread-safe, blocks until durable. `unavailable` when too many wait.
  base::Result<> write(const TxFunction& fn, Priority priority);

 private:
  struct Job {
    const TxFunction* fn;
    base::Result<> result;
    bool done = false;
    base::CondVar woken;  // done, or to lead
  };

  Job* front() REQUIRES(mutex_);
  Job* take();
  void pass_lead() REQUIRES(mutex_);
  int new_log_pages() REQUIRES(mutex_);
  void transaction(Job* first);
  bool run_in_transaction(Job* job, bool first);
  void run_alone(Job* job);
  void finish(Job* job);
  void checkpoint_loop();
  void wait_for_checkpoint() REQUIRES(mutex_);
  void checkpoint();

  const std::unique_ptr<SqliteConnection> connection_;  // the leader's alone
  Readers& readers_;
  base::Clock& clock_;
  base::Mutex mutex_;
  std::array<std::deque<Job*>, 3> queues_ GUARDED_BY(mutex_);
  bool led_ GUARDED_BY(mutex_) = false;             // some thread leads
  bool checkpoint_due_ GUARDED_BY(mutex_) = false;  // then the lead is the checkpointer's
  int log_pages_seen_ GUARDED_BY(mutex_) = 0;       // of the log, at the last checkpoint
  bool stopping_ GUARDED_BY(mutex_) = false;
  base::CondVar checkpointer_woken_;
  std::thread checkpointer_;
};

}  // namespace store
