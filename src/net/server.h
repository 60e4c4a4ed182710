// The HTTP/1.1 server: keep-alive, limits, a bounded pool of workers. It knows nothing of flows.
//
// Loop threads parse and write; a complete request goes to a bounded queue and one of the workers
// calls the handler there. A handler answers through its Responder, at once or later, from any
// thread, so that a long wait holds no thread. A full queue answers 503 with Retry-After; a slow
// client holds a connection, never a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "net/header.h"

namespace net {

class TlsContext;

struct Request {
  std::string method;  // upper case
  std::string path;    // as sent (still percent-encoded), without query
  std::string query;   // as sent, without '?'
  std::vector<Header> headers;
  std::string body;
  std::string client_ip;   // of the peer, without port
  std::string request_id;  // "req_" + ULID, or a well-formed X-Request-Id of the client

  /// Value of the first header of that lower-case name, or "".
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;  // 200 to 599
  std::string content_type = "application/json";
  /// Beside those that the server sets itself: Date, Content-Type, Content-Length, X-Request-Id,
  /// X-Content-Type-Options, Connection. CHECKed to be free of CR, LF and NUL.
  std::vector<Header> headers;
  std::string body;
};

/// An answer that goes on, piece by piece, until it is ended or every copy is destroyed.
/// Thread-safe; never blocks: a client that reads too slowly (stream_pending_bytes_max) is cut off.
class Stream {
 public:
  class State;
  explicit Stream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void send(std::string text) const;
  void end() const;
  /// True once the client has gone; nothing reaches it any more.
  bool client_gone() const;

 private:
  std::shared_ptr<State> state_;
};

/// Answers one request exactly once; later calls do nothing. Thread-safe. If every copy is
/// destroyed unanswered the client gets 500.
class Responder {
 public:
  class State;
  explicit Responder(std::shared_ptr<State> state) : state_(std::move(state)) {}
  void send(Response response) const;
  /// Begins an answer that goes on; `head.body` is its first piece. `heartbeat` is sent whenever
  /// nothing else was for stream_heartbeat, so that the client and what lies between see it lives.
  Stream stream(Response head, std::string heartbeat) const;
  /// True once the client has gone or will send no more; a waiter may then be dropped. Noticed
  /// within milliseconds, but only at the answer when the client has pipelined more than is read
  /// ahead.
  bool client_gone() const;

 private:
  std::shared_ptr<State> state_;
};

using Handler = std::function<void(Request, Responder)>;
/// Turns a refusal of the server itself (400, 408, 413, 417, 431, 500, 501, 503, 505) into the
/// API's error shape. Called on loop threads and workers at a time; must not throw. The server adds
/// "Retry-After: 1" to a 503.
using ErrorPage = std::function<Response(int status, std::string_view message)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;              // 0: any free port, see port()
  std::shared_ptr<const TlsContext> tls;  // null: plain HTTP
  int loop_threads = 1;
  std::size_t workers = base::limits::request_workers;
  std::size_t request_queue_max = base::limits::request_queue_max;
  std::size_t connections_max = base::limits::connections_max;  // further ones get 503
  std::size_t header_bytes_max = base::limits::header_bytes_max;
  std::size_t body_bytes_max = base::limits::body_bytes_max;
  std::size_t bodies_bytes_max = base::limits::bodies_bytes_max;  // of all requests; above: 503
  std::chrono::milliseconds header_timeout = base::limits::header_timeout;
  std::chrono::milliseconds body_timeout = base::limits::body_timeout;
  std::chrono::milliseconds write_timeout = base::limits::write_timeout;
  std::chrono::milliseconds idle_timeout = base::limits::idle_timeout;
  std::chrono::milliseconds stream_heartbeat = base::limits::stream_heartbeat;
  std::size_t stream_pending_bytes_max = base::limits::stream_pending_bytes_max;
  /// One base::log line a request: method, path, status, duration_ms, bytes, ip, request_id; never
  /// the query. Status 499 is a client that went before its answer was ready.
  bool access_log = true;
};

class Server {
 public:
  /// Binds and listens; error `unavailable` names address and port when they are taken.
  static base::Result<std::unique_ptr<Server>> create(ServerOptions options, Handler handler,
                                                      ErrorPage error_page);
  ~Server();  // stops as stop() does

  std::uint16_t port() const;
  void start();
  /// Graceful: no new connections, idle ones closed, requests under way answered with
  /// "Connection: close" up to `drain`; what is left is cut. Then waits for the handlers that still
  /// run, so they must have ends of their own. Blocks; safe to call twice, not from a handler.
  void stop(std::chrono::milliseconds drain);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
