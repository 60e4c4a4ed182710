// One loop thread: accepts, reads, writes and keeps time for its connections.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "base/thread_safety.h"
#include "net/server.h"
#include "net/worker_pool.h"

namespace net {

/// How many connections are open, over all loops.
class ConnectionCount {
 public:
  /// The number including the new one.
  std::size_t add() EXCLUDES(mutex_);
  void remove() EXCLUDES(mutex_);
  void wait_for_none(std::chrono::milliseconds at_most) EXCLUDES(mutex_);

 private:
  base::Mutex mutex_;
  base::CondVar none_;
  std::size_t count_ GUARDED_BY(mutex_) = 0;
};

class Loop {
 public:
  /// All arguments outlive the loop.
  Loop(const ServerOptions& options, const ErrorPage& error_page, WorkerPool& pool,
       BodyTotal& body_total, ConnectionCount& count);
  ~Loop();  // cuts everything

  /// Binds the address of the options; connections will be dealt out to `loops` in turn. The port.
  base::Result<std::uint16_t> listen(const std::vector<std::unique_ptr<Loop>>& loops);
  void start();
  /// No new connections; those without a request under way are closed.
  void begin_stop();
  /// Closes what is left and ends the thread.
  void finish();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
