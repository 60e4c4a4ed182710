// One client connection as a state machine, free of any I/O library: it is told of bytes, answers
// and the time, and asks its Transport to read, write and close. Lives on one loop thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "net/body_charge.h"
#include "net/input_buffer.h"
#include "net/request_parser.h"
#include "net/responder.h"
#include "net/server.h"
#include "net/worker_pool.h"

namespace net {

/// The socket of one connection. Everything happens on the loop thread; after close() nothing is
/// reported any more.
class Transport {
 public:
  struct Written {
    std::size_t bytes = 0;
    bool failed = false;
  };

  virtual ~Transport() = default;
  /// Starts one read; Connection::on_read follows, never from inside this call.
  virtual void read(std::span<char> into) = 0;
  /// Writes what the kernel takes at once, `head` before `body`.
  virtual Written write(std::string_view head, std::string_view body) = 0;
  /// Connection::on_writable follows, never from inside this call.
  virtual void wait_writable() = 0;
  virtual void shutdown_send() = 0;
  virtual void close() = 0;
};

/// What all connections of a loop share.
struct LoopContext {
  const ServerOptions& options;
  const ErrorPage& error_page;
  WorkerPool& pool;
  BodyTotal& body_total;
  std::shared_ptr<Outbox> outbox = nullptr;
  base::SystemClock clock = {};
  base::SeededRandom random{0};  // for request ids
  std::string date = {};         // of `date_second`
  std::chrono::sys_seconds date_second = {};
  bool stopping = false;

  std::string_view http_date_now();
};

class Connection {
 public:
  Connection(LoopContext& loop, Transport& transport, std::string client_ip);

  /// `self` is what answers find this connection by.
  void start(std::weak_ptr<Connection> self);
  /// Instead of start(): answers 503 and closes, because there are too many connections.
  void start_refused();

  void on_read(std::size_t bytes);  // 0: the client sends no more
  void on_failed();                 // reset by the client
  void on_writable();
  /// Ignored unless `sequence` is that of the request under way.
  void on_answer(std::uint64_t sequence, AnswerPart part);
  void on_tick(base::SteadyTime now);
  /// The server stops: closes if no request is under way.
  void on_stopping();
  /// Closes at once, whatever is under way.
  void cut() { close(); }

 private:
  enum class Phase { idle, header, body, handling, writing, streaming, lingering, closed };

  bool receiving() const {
    return phase_ == Phase::idle || phase_ == Phase::header || phase_ == Phase::body;
  }
  void advance();
  bool step();
  bool charge_body();
  void on_header();
  void on_eof();
  void want_read();
  void dispatch();
  void choose_request_id(Request& request);
  void refuse(int status, std::string_view message);
  void refuse_busy(std::string_view message);
  void respond(Response response);
  void begin_stream(StreamHead stream);
  void add_piece(std::string_view text);
  void end_stream();
  void write_stream();
  void write_on();
  void on_written();
  void log_request(std::size_t bytes);
  void begin_request();
  void become_idle();
  void linger();
  void close();
  void mark_client_gone();
  void set_deadline(std::chrono::milliseconds after);

  LoopContext& loop_;
  Transport& transport_;
  std::weak_ptr<Connection> self_;
  const std::string client_ip_;

  Phase phase_ = Phase::idle;
  base::SteadyTime deadline_ = base::SteadyTime::max();
  InputBuffer input_;
  bool reading_ = false;      // a read is under way
  bool eof_ = false;          // the client sends no more
  std::size_t lingered_ = 0;  // bytes dropped while lingering

  // The request under way.
  RequestParser parser_;
  std::uint64_t sequence_ = 0;
  std::shared_ptr<std::atomic<bool>> client_gone_;  // told to whoever answers it
  base::SteadyTime started_ = {};
  std::string method_;
  std::string path_;
  std::string request_id_;
  bool keep_alive_ = false;
  BodyCharge charge_;

  // Its answer. `interim_` is the 100 Continue, after which the request goes on.
  std::string out_head_;
  std::string out_body_;
  std::size_t written_ = 0;
  int status_ = 0;
  bool interim_ = false;

  // Of one that goes on; `out_body_` holds what its client has not taken yet.
  std::string heartbeat_;
  std::size_t streamed_ = 0;  // bytes written
  bool chunked_ = false;
  bool stream_ended_ = false;
  bool waits_writable_ = false;
};

}  // namespace net
