// The connections that read a SQLite database: a few, each used by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_safety.h"
#include "store/sqlite_connection.h"

namespace store {

/// Thread-safe.
class Readers {
 public:
  explicit Readers(std::string path) : path_(std::move(path)) {}

  /// Blocks while readers_max are lent, or none is.
  base::Result<std::unique_ptr<SqliteConnection>> borrow();
  void give_back(std::unique_ptr<SqliteConnection> reader);

  /// Runs `fn` while nobody reads; beside those that have not ended after reader_pause_max.
  void pause(const std::function<void()>& fn);
  /// Closes those that nobody uses.
  void close();

 private:
  const std::string path_;
  base::Mutex mutex_;
  base::CondVar changed_;
  int lent_ GUARDED_BY(mutex_) = 0;
  bool paused_ GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<SqliteConnection>> idle_ GUARDED_BY(mutex_);
};

}  // namespace store
