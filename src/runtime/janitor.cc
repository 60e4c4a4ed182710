#include "runtime/janitor.h"

#include <vector>

#include "base/log.h"
#include "store/housekeeping.h"

namespace runtime {

namespace {

constexpr std::chrono::minutes interval{10};
constexpr std::chrono::hours object_age_min{24};

}  // namespace

Janitor::Janitor(store::Store& store, store::Objects& objects, base::Clock& clock)
    : store_(store), objects_(objects), clock_(clock) {}

Janitor::~Janitor() {
  stop();
}

void Janitor::start() {
  thread_ = std::thread([this] { run(); });
}

void Janitor::stop() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Janitor::run() {
  while (true) {
    if (base::Result<> done = round(); !done)
      base::log_warning("housekeeping failed", {{"error", done.error().message}});
    base::MutexLock lock(mutex_);
    base::SteadyTime until = clock_.steady() + interval;
    while (!stopping_)
      if (!changed_.wait_until(mutex_, until)) break;
    if (stopping_) return;
  }
}

base::Result<> Janitor::round() {
  base::Timestamp now = clock_.now();
  bool more = true;
  while (more) {
    TRY(store_.write(
        [&](store::Tx& tx) -> base::Result<> {
          more = TRY(store::delete_stale_journal(tx));
          return {};
        },
        store::Priority::background));
  }
  TRY(store_.write([&](store::Tx& tx) { return store::drop_old_keys(tx, now); },
                   store::Priority::background));
  TRY(store_.write([&](store::Tx& tx) { return store::drop_expired_outputs(tx, now); },
                   store::Priority::background));
  TRY(store_.write([&](store::Tx& tx) { return store::drop_expired_uploads(tx, now); },
                   store::Priority::background));
  TRY(store_.write([&](store::Tx& tx) { return store::drop_unused_artifacts(tx, now); },
                   store::Priority::background));
  for (const std::string& object : TRY(objects_.older_than(now - object_age_min))) {
    bool named = true;
    TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
      named = TRY(store::is_object_named(tx, object));
      return {};
    }));
    if (!named) TRY(objects_.remove(object));
  }
  return {};
}

}  // namespace runtime
