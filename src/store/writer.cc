#include "store/writer.h"

#include <vector>

#include "base/limits.h"
#include "base/log.h"

namespace store {

namespace limits = base::limits;

Writer::Writer(std::unique_ptr<SqliteConnection> connection, Readers& readers, base::Clock& clock)
    : connection_(std::move(connection)),
      readers_(readers),
      clock_(clock),
      checkpointer_([this] { checkpoint_loop(); }) {}

Writer::~Writer() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    checkpointer_woken_.notify_one();
  }
  checkpointer_.join();
  connection_->checkpoint();  // closing does it too, but tells nobody of a failed fsync
}

base::Result<> Writer::write(const TxFunction& fn, Priority priority) {
  Job job{&fn, {}, false, {}};
  base::MutexLock lock(mutex_);
  auto& queue = queues_[static_cast<std::size_t>(priority)];
  if (queue.size() >= limits::writer_queue_max) return base::unavailable("the store is busy");
  queue.push_back(&job);
  while (led_ && !job.done) job.woken.wait(mutex_);
  while (!job.done) {
    led_ = true;
    Job* first = front();
    lock.unlock();
    transaction(first);
    lock.lock();
    led_ = false;
  }
  pass_lead();
  return std::move(job.result);
}

// Lets someone else write: the first that waits, or the checkpointer when the log is long and
// nobody waits, or too long.
void Writer::pass_lead() {
  if (led_) return;  // else nobody writes the log meanwhile
  Job* next = nullptr;
  for (auto& queue : queues_)
    if (next == nullptr && !queue.empty()) next = queue.front();
  if (new_log_pages() >= (next ? limits::checkpoint_pages_hard : limits::checkpoint_pages_idle)) {
    led_ = checkpoint_due_ = true;
    checkpointer_woken_.notify_one();
  } else if (next != nullptr) {
    next->woken.notify_one();
  }
}

// Since the last checkpoint, or since the log began anew: while somebody reads what stands in it,
// it goes on growing.
int Writer::new_log_pages() {
  int pages = connection_->wal_pages();
  if (pages < log_pages_seen_) log_pages_seen_ = 0;
  return pages - log_pages_seen_;
}

Writer::Job* Writer::front() {
  for (auto& queue : queues_) {
    if (queue.empty()) continue;
    Job* job = queue.front();
    queue.pop_front();
    return job;
  }
  return nullptr;
}

Writer::Job* Writer::take() {
  base::MutexLock lock(mutex_);
  return front();
}

void Writer::transaction(Job* job) {
  base::SteadyTime until = clock_.steady() + limits::write_slice;
  std::int64_t rows_before = connection_->total_changes();
  std::vector<Job*> done;
  while (job != nullptr) {
    if (run_in_transaction(job, done.empty())) {
      done.push_back(job);
    } else if (!connection_->in_transaction() && !done.empty()) {
      break;  // rolled back as a whole
    }
    auto rows = static_cast<std::size_t>(connection_->total_changes() - rows_before);
    bool room = rows < limits::write_rows_max && clock_.steady() < until;
    job = room ? take() : nullptr;
  }
  if (done.empty()) return;
  if (connection_->in_transaction() && connection_->execute("COMMIT")) {
    for (Job* each : done) finish(each);
    return;
  }
  if (connection_->in_transaction()) (void)connection_->execute("ROLLBACK");
  for (Job* each : done) run_alone(each);
}

// True when the job's work stands in the open transaction. Otherwise the job has been answered with
// its error. The first job of a transaction needs no savepoint: nothing stands before it.
bool Writer::run_in_transaction(Job* job, bool first) {
  job->result = connection_->execute(first ? "BEGIN IMMEDIATE" : "SAVEPOINT job");
  bool open = static_cast<bool>(job->result);
  (void)connection_->take_failure();
  if (open) job->result = (*job->fn)(*connection_);
  std::optional<base::Error> failure = connection_->take_failure();
  if (failure && job->result) job->result = *failure;  // the function went on after it
  if (job->result && connection_->in_transaction()) {
    if (!first) job->result = connection_->execute("RELEASE job");
    if (job->result) return true;
  }
  if (job->result) job->result = base::unavailable("the transaction was rolled back");
  if (open && connection_->in_transaction())
    (void)connection_->execute(first ? "ROLLBACK" : "ROLLBACK TO job");
  if (open && !first && connection_->in_transaction()) (void)connection_->execute("RELEASE job");
  finish(job);
  return false;
}

void Writer::run_alone(Job* job) {
  if (!run_in_transaction(job, /*first=*/true)) return;
  job->result = connection_->execute("COMMIT");
  if (!job->result && connection_->in_transaction()) (void)connection_->execute("ROLLBACK");
  finish(job);
}

void Writer::finish(Job* job) {
  base::MutexLock lock(mutex_);
  job->done = true;
  job->woken.notify_one();
}

void Writer::checkpoint_loop() {
  base::MutexLock lock(mutex_);
  while (true) {
    while (!checkpoint_due_ && !stopping_) wait_for_checkpoint();
    if (!checkpoint_due_) return;
    lock.unlock();
    checkpoint();
    lock.lock();
    led_ = checkpoint_due_ = false;
    log_pages_seen_ = connection_->wal_pages();
    pass_lead();
  }
}

// A log that a reader has made long is looked after also when nobody writes.
void Writer::wait_for_checkpoint() {
  if (log_pages_seen_ < limits::log_pages_kept)
    checkpointer_woken_.wait(mutex_);
  else if (!checkpointer_woken_.wait_for(mutex_, limits::long_log_retry) && !led_)
    led_ = checkpoint_due_ = true;
}

// The log begins anew when all of it is copied and nobody reads in it. Readers that follow one
// another without a gap would never let it: when it is too long, they wait for a moment. Another
// program's reader can only be reported.
void Writer::checkpoint() {
  connection_->checkpoint();
  int pages = connection_->wal_pages();
  if (pages < limits::checkpoint_pages_hard) return;
  readers_.pause([&] {
    if (pages < limits::log_pages_kept) return connection_->checkpoint();
    if (!connection_->truncate_log())
      base::log_warning("a reader keeps the write-ahead log from being used again",
                        {{"pages", pages}});
  });
}

}  // namespace store
