// The way of an answer from any thread back to the loop that owns its connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/thread_safety.h"
#include "net/server.h"

namespace net {

class Connection;

struct Answer {
  std::weak_ptr<Connection> connection;
  std::uint64_t sequence = 0;        // of the request on that connection
  std::optional<Response> response;  // none: every Responder was dropped unanswered
};

/// Answers on their way to one loop. Outlives the loop, since a Responder may.
class Outbox {
 public:
  /// `wake` makes the loop call take() soon; it is called once for all answers pushed until then.
  explicit Outbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  void push(Answer answer) EXCLUDES(mutex_);
  /// Replaces `into` by all answers pushed so far.
  void take(std::vector<Answer>& into) EXCLUDES(mutex_);
  /// From now on answers are dropped and `wake` is not called.
  void close() EXCLUDES(mutex_);

 private:
  base::Mutex mutex_;
  std::vector<Answer> answers_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
  const std::function<void()> wake_;
};

class Responder::State {
 public:
  State(std::shared_ptr<Outbox> outbox, std::weak_ptr<Connection> connection,
        std::uint64_t sequence)
      : outbox_(std::move(outbox)), connection_(std::move(connection)), sequence_(sequence) {}
  ~State();

  void send(Response response);
  /// No answer is wanted any more, not even that of the destructor.
  void cancel() { answered_ = true; }
  void mark_gone() { gone_ = true; }
  bool gone() const { return gone_; }

 private:
  const std::shared_ptr<Outbox> outbox_;
  const std::weak_ptr<Connection> connection_;
  const std::uint64_t sequence_;
  std::atomic<bool> answered_ = false;
  std::atomic<bool> gone_ = false;
};

}  // namespace net
