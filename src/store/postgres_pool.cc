#include "store/postgres_pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace store {

namespace limits = base::limits;

base::Result<std::unique_ptr<PostgresConnection>> PostgresPool::borrow() {
  std::unique_ptr<PostgresConnection> connection;
  {
    base::MutexLock lock(mutex_);
    base::SteadyTime until = clock_.steady() + limits::postgres_borrow_timeout;
    while (lent_ >= connections_max_)
      if (!returned_.wait_until(mutex_, until) && lent_ >= connections_max_)
        return base::unavailable(
            fmt::format("all {} connections to the database are in use", connections_max_));
    ++lent_;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (connection && connection->is_usable()) return connection;
  base::Result<std::unique_ptr<PostgresConnection>> opened = open(PostgresUse::requests);
  if (!opened) give_back(nullptr);
  return opened;
}

void PostgresPool::give_back(std::unique_ptr<PostgresConnection> connection) {
  base::MutexLock lock(mutex_);
  --lent_;
  if (connection && !connection->is_lost()) idle_.push_back(std::move(connection));
  returned_.notify_one();
}

base::Result<> PostgresPool::check_back_off() {
  base::MutexLock lock(mutex_);
  if (clock_.steady() < refused_until_) return refusal_;
  return {};
}

base::Result<std::unique_ptr<PostgresConnection>> PostgresPool::open(PostgresUse use) {
  TRY(check_back_off());
  base::Result<std::unique_ptr<PostgresConnection>> opened = PostgresConnection::open(url_, use);
  base::MutexLock lock(mutex_);
  if (opened) {
    (*opened)->hurry_on(hurries_);
    back_off_ = {};
    return opened;
  }
  back_off_ = std::clamp<base::Duration>(2 * back_off_, limits::postgres_reconnect_min,
                                         limits::postgres_reconnect_max);
  refused_until_ = clock_.steady() + back_off_;
  refusal_ = opened.error();
  return opened;
}

}  // namespace store
