#include "store/writer.h"

#include <vector>

#include "base/limits.h"
#include "base/log.h"

namespace store {

namespace limits = base::limits;

Writer::Writer(std::unique_ptr<SqliteConnection> connection, base::Clock& clock)
    : connection_(std::move(connection)), clock_(clock), thread_([this] { loop(); }) {}

Writer::~Writer() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    queue_changed_.notify_one();
  }
  thread_.join();
}

base::Result<> Writer::write(const TxFunction& fn, Priority priority) {
  Job job{&fn, {}, {}, {}};
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return base::unavailable("the store is stopping");
    auto& queue = queues_[static_cast<std::size_t>(priority)];
    if (queue.size() >= limits::writer_queue_max) return base::unavailable("the store is busy");
    queue.push_back(&job);
    queue_changed_.notify_one();
  }
  base::MutexLock lock(job.mutex);
  while (!job.done) job.done_changed.wait(job.mutex);
  return std::move(job.result);
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

// The next job, or null: at once when `wait` is false, else when the writer stops.
Writer::Job* Writer::take(bool wait) {
  base::MutexLock lock(mutex_);
  Job* job = front();
  while (job == nullptr && wait && !stopping_) {
    queue_changed_.wait(mutex_);
    job = front();
  }
  return job;
}

void Writer::loop() {
  while (true) {
    Job* job = take(/*wait=*/false);
    if (job == nullptr) {
      checkpoint_if_due(/*idle=*/true);
      job = take(/*wait=*/true);
    }
    if (job == nullptr) return;
    transaction(job);
    checkpoint_if_due(/*idle=*/false);
  }
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
    job = room ? take(/*wait=*/false) : nullptr;
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
  if (open) job->result = (*job->fn)(*connection_);
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
  base::MutexLock lock(job->mutex);
  job->done = true;
  job->done_changed.notify_one();
}

void Writer::checkpoint_if_due(bool idle) {
  int pages = connection_->wal_pages();
  if (pages >= (idle ? limits::checkpoint_pages_idle : limits::checkpoint_pages_hard))
    connection_->checkpoint();
}

}  // namespace store
