// The way of an answer from any thread back to the loop that owns its connection.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/thread_safety.h"
#include "net/server.h"

namespace net {

class Connection;

/// The beginning of an answer that goes on.
struct StreamHead {
  Response head;
  std::string heartbeat;
};
/// A further piece of it.
struct StreamPiece {
  std::string text;
};
struct StreamEnd {};
/// Every Responder was dropped unanswered.
struct Dropped {};

using AnswerPart = std::variant<Dropped, Response, StreamHead, StreamPiece, StreamEnd>;

struct Answer {
  std::weak_ptr<Connection> connection;
  std::uint64_t sequence = 0;  // of the request on that connection
  AnswerPart part;
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
  /// `gone` is set by the connection when its client has gone.
  State(std::shared_ptr<Outbox> outbox, std::weak_ptr<Connection> connection,
        std::uint64_t sequence, std::shared_ptr<const std::atomic<bool>> gone)
      : outbox_(std::move(outbox)),
        connection_(std::move(connection)),
        sequence_(sequence),
        gone_(std::move(gone)) {}
  ~State();

  void send(Response response);
  /// Leads nowhere when the request has been answered already.
  std::shared_ptr<Stream::State> stream(Response head, std::string heartbeat);
  /// No answer is wanted any more, not even that of the destructor.
  void cancel() { answered_ = true; }
  bool gone() const { return *gone_; }

 private:
  const std::shared_ptr<Outbox> outbox_;
  const std::weak_ptr<Connection> connection_;
  const std::uint64_t sequence_;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  std::atomic<bool> answered_ = false;
};

class Stream::State {
 public:
  State(std::shared_ptr<Outbox> outbox, std::weak_ptr<Connection> connection,
        std::uint64_t sequence, std::shared_ptr<const std::atomic<bool>> gone, bool leads_nowhere)
      : outbox_(std::move(outbox)),
        connection_(std::move(connection)),
        sequence_(sequence),
        gone_(std::move(gone)),
        ended_(leads_nowhere) {}
  ~State() { end(); }

  void send(std::string text);
  void end();
  bool gone() const { return *gone_; }

 private:
  const std::shared_ptr<Outbox> outbox_;
  const std::weak_ptr<Connection> connection_;
  const std::uint64_t sequence_;
  const std::shared_ptr<const std::atomic<bool>> gone_;
  std::atomic<bool> ended_;
};

}  // namespace net
