// Connections to PostgreSQL: a few, each used by one thread at a time, opened when first needed.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/thread_safety.h"
#include "store/postgres_connection.h"

namespace store {

/// Thread-safe.
class PostgresPool {
 public:
  PostgresPool(std::string url, int connections_max, base::Clock& clock)
      : url_(std::move(url)), connections_max_(connections_max), clock_(clock) {}

  /// Waits up to postgres_borrow_timeout while all are lent. After a connection could not be
  /// opened the next attempts are refused for a while, doubled each time: `unavailable`.
  base::Result<std::unique_ptr<PostgresConnection>> borrow();
  /// Lost connections are closed.
  void give_back(std::unique_ptr<PostgresConnection> connection);
  /// A connection beside those that are lent, under the same rule.
  base::Result<std::unique_ptr<PostgresConnection>> open(PostgresUse use);

  /// The server stops: nobody waits for a silent database any more.
  void hurry() { hurries_ = true; }

 private:
  base::Result<> check_back_off();

  const std::string url_;
  const int connections_max_;
  base::Clock& clock_;
  std::atomic<bool> hurries_ = false;
  base::Mutex mutex_;
  base::CondVar returned_;
  int lent_ GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ GUARDED_BY(mutex_);
  base::Duration back_off_ GUARDED_BY(mutex_){};
  base::SteadyTime refused_until_ GUARDED_BY(mutex_){};
  base::Error refusal_ GUARDED_BY(mutex_);
};

}  // namespace store
