#include "net/worker_pool.h"

#include <exception>

#include "base/check.h"
#include "base/log.h"

namespace net {

WorkerPool::WorkerPool(std::size_t workers, std::size_t queue_max, Handler handler,
                       ErrorPage error_page)
    : workers_(workers),
      queue_max_(queue_max),
      handler_(std::move(handler)),
      error_page_(std::move(error_page)) {
  CHECK(workers_ > 0);
}

void WorkerPool::start() {
  for (std::size_t i = 0; i < workers_; ++i) threads_.emplace_back([this] { run(); });
}

bool WorkerPool::submit(Job& job) {
  base::MutexLock lock(mutex_);
  if (stopped_ || queue_.size() >= queue_max_) return false;
  queue_.push_back(std::move(job));
  call_one();
  return true;
}

void WorkerPool::stop() {
  std::deque<Job> dropped;  // destroyed outside the lock: Responders call back
  {
    base::MutexLock lock(mutex_);
    stopped_ = true;
    dropped.swap(queue_);
    for (Sleeper* sleeper : sleepers_) sleeper->woken.notify_one();
    sleepers_.clear();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::run() {
  while (std::optional<Job> job = next_job()) handle(*std::move(job));
}

std::optional<WorkerPool::Job> WorkerPool::next_job() {
  base::MutexLock lock(mutex_);
  while (queue_.empty() && !stopped_) sleep();
  if (stopped_) return std::nullopt;
  std::optional<Job> job = std::move(queue_.front());
  queue_.pop_front();
  if (!queue_.empty()) call_one();
  return job;
}

void WorkerPool::sleep() {
  Sleeper self;
  sleepers_.push_back(&self);
  while (!self.called && !stopped_) self.woken.wait(mutex_);
  if (self.called) calling_ = false;
}

// Wakes the worker that slept last, whose memory is warmest, and never two at a time: the one woken
// calls the next if there is more than it can take. Waking all at once costs more than short
// requests do themselves.
void WorkerPool::call_one() {
  if (calling_ || sleepers_.empty()) return;
  Sleeper* sleeper = sleepers_.back();
  sleepers_.pop_back();
  sleeper->called = true;
  calling_ = true;
  sleeper->woken.notify_one();
}

void WorkerPool::handle(Job job) {
  Responder responder = job.responder;
  std::string request_id = job.request.request_id;
  try {
    handler_(std::move(job.request), std::move(job.responder));
  } catch (const std::exception& e) {
    base::log_error("a request handler threw", {{"request_id", request_id}, {"error", e.what()}});
    responder.send(error_page_(500, "internal error"));
  }
}

}  // namespace net
