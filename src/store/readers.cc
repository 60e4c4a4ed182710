#include "store/readers.h"

#include "base/limits.h"

namespace store {

namespace limits = base::limits;

base::Result<std::unique_ptr<SqliteConnection>> Readers::borrow() {
  base::MutexLock lock(mutex_);
  while (paused_ || lent_ >= limits::readers_max) changed_.wait(mutex_);
  std::unique_ptr<SqliteConnection> reader;
  if (idle_.empty()) {
    reader = TRY(SqliteConnection::open(path_, SqliteMode::reader));
  } else {
    reader = std::move(idle_.back());
    idle_.pop_back();
  }
  ++lent_;
  return reader;
}

void Readers::give_back(std::unique_ptr<SqliteConnection> reader) {
  base::MutexLock lock(mutex_);
  idle_.push_back(std::move(reader));
  --lent_;
  changed_.notify_all();
}

void Readers::pause(const std::function<void()>& fn) {
  base::MutexLock lock(mutex_);
  paused_ = true;
  while (lent_ > 0)
    if (!changed_.wait_for(mutex_, limits::reader_pause_max)) break;
  lock.unlock();
  fn();
  lock.lock();
  paused_ = false;
  changed_.notify_all();
}

void Readers::close() {
  base::MutexLock lock(mutex_);
  idle_.clear();
}

}  // namespace store
