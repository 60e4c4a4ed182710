#include "net/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/response_head.h"

namespace net {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t body_read_bytes_max = 64u << 10;
// After the last answer the client has this long to read it and close, before we do.
constexpr auto linger_timeout = 1s;
constexpr std::size_t linger_bytes_max = 32u << 20;
constexpr int status_client_gone = 499;  // in the access log only

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= base::limits::request_id_bytes_max &&
         std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

}  // namespace

std::string_view LoopContext::http_date_now() {
  base::Timestamp now = clock.now();
  auto second = std::chrono::floor<std::chrono::seconds>(now);
  if (second != date_second) {
    date_second = second;
    date = http_date(now);
  }
  return date;
}

Connection::Connection(LoopContext& loop, Transport& transport, std::string client_ip)
    : loop_(loop),
      transport_(transport),
      client_ip_(std::move(client_ip)),
      parser_(loop.options.header_bytes_max, loop.options.body_bytes_max) {}

void Connection::start(std::weak_ptr<Connection> self) {
  self_ = std::move(self);
  set_deadline(loop_.options.idle_timeout);
  want_read();
}

void Connection::start_refused() {
  begin_request();
  keep_alive_ = false;
  refuse_busy("too many connections, try again");
  want_read();
}

void Connection::on_read(std::size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  if (bytes == 0) return on_eof();
  if (phase_ == Phase::lingering) {
    lingered_ += bytes;
    if (lingered_ > linger_bytes_max) return close();
    return want_read();
  }
  input_.commit(bytes);
  advance();
}

void Connection::on_eof() {
  eof_ = true;
  if (phase_ == Phase::lingering) return close();
  // It may only have closed its sending side, so an answer is still written; but a waiter is told.
  mark_client_gone();
  if (phase_ == Phase::streaming) return close();  // nothing else would tell of its end
  advance();
}

void Connection::on_failed() {
  reading_ = false;
  close();
}

void Connection::on_writable() {
  waits_writable_ = false;
  if (phase_ == Phase::streaming) {
    write_stream();
  } else if (phase_ == Phase::writing) {
    write_on();
  } else {
    return;
  }
  advance();
}

void Connection::on_answer(std::uint64_t sequence, AnswerPart part) {
  if (sequence != sequence_) return;
  if (phase_ == Phase::streaming) {
    if (auto* piece = std::get_if<StreamPiece>(&part)) add_piece(piece->text);
    if (std::holds_alternative<StreamEnd>(part)) end_stream();
    return advance();
  }
  if (phase_ != Phase::handling) return;
  bool is_dropped = std::holds_alternative<Dropped>(part);
  if (is_dropped && eof_) return close();  // as a waiter may do whose client has gone
  if (is_dropped) {
    base::log_error("a request was dropped unanswered", {{"request_id", request_id_}});
    part = loop_.error_page(500, "internal error");
  }
  if (auto* stream = std::get_if<StreamHead>(&part)) begin_stream(std::move(*stream));
  if (auto* response = std::get_if<Response>(&part)) respond(std::move(*response));
  advance();
}

void Connection::on_tick(base::SteadyTime now) {
  if (now < deadline_) return;
  if (phase_ == Phase::streaming && out_body_.empty()) return add_piece(heartbeat_);
  if (phase_ != Phase::header && phase_ != Phase::body) return close();
  refuse(408, phase_ == Phase::header ? "the request header did not arrive in time"
                                      : "the request body did not arrive in time");
  want_read();
}

void Connection::on_stopping() {
  if (phase_ == Phase::idle) close();
  if (phase_ == Phase::streaming) end_stream();
}

// Reads requests out of the buffer until one is under way or bytes are missing. The only caller of
// step(), and itself called once per event, so that pipelined requests do not recurse.
void Connection::advance() {
  while (receiving() && input_.size() > 0 && step()) {
  }
  if (receiving() && eof_) return close();
  want_read();
}

bool Connection::step() {
  if (phase_ == Phase::idle) begin_request();
  RequestParser::Progress progress = parser_.put(input_.view());
  input_.consume(progress.consumed);
  if (phase_ == Phase::body && !charge_body()) return true;
  switch (progress.state) {
    case RequestParser::State::need_more:
      return false;
    case RequestParser::State::header_done:
      on_header();
      break;
    case RequestParser::State::done:
      dispatch();
      break;
    case RequestParser::State::refused:
      method_ = parser_.request().method;
      path_ = parser_.request().path;
      refuse(parser_.refusal().status, parser_.refusal().message);
      break;
  }
  return true;
}

// False, and answered with 503, when all bodies together have become too much.
bool Connection::charge_body() {
  std::size_t total = charge_.grow(loop_.body_total, parser_.request().body.size());
  if (total <= loop_.options.bodies_bytes_max) return true;
  charge_ = {};
  refuse_busy("too much is being uploaded, try again");
  return false;
}

void Connection::on_header() {
  phase_ = Phase::body;
  set_deadline(loop_.options.body_timeout);
  // A client that already sends its body no longer waits for leave to do so.
  if (!parser_.expects_continue() || input_.size() > 0) return;
  interim_ = true;
  out_head_ = "HTTP/1.1 100 Continue\r\n\r\n";
  out_body_.clear();
  phase_ = Phase::writing;
  write_on();
}

void Connection::want_read() {
  if (reading_ || eof_ || phase_ == Phase::closed) return;
  std::size_t size_max = base::limits::pipelined_bytes_max;
  if (phase_ == Phase::header) size_max = std::max(size_max, loop_.options.header_bytes_max + 1);
  if (phase_ == Phase::body) size_max = body_read_bytes_max;
  if (phase_ == Phase::lingering) input_.clear();
  if (input_.size() >= size_max) return;
  reading_ = true;
  transport_.read(input_.prepare(size_max));
}

void Connection::begin_request() {
  phase_ = Phase::header;
  ++sequence_;
  started_ = loop_.clock.steady();
  deadline_ = started_ + loop_.options.header_timeout;
  parser_.reset();
  method_.clear();
  path_.clear();
  request_id_.clear();
  keep_alive_ = false;
  charge_ = {};
}

void Connection::dispatch() {
  Request& request = parser_.request();
  method_ = request.method;
  path_ = request.path;
  request.client_ip = client_ip_;
  choose_request_id(request);
  keep_alive_ = parser_.keep_alive();
  phase_ = Phase::handling;
  deadline_ = base::SteadyTime::max();
  client_gone_ = std::make_shared<std::atomic<bool>>(eof_);
  auto state = std::make_shared<Responder::State>(loop_.outbox, self_, sequence_, client_gone_);
  WorkerPool::Job job{std::move(request), Responder(state), std::move(charge_)};
  if (loop_.pool.submit(job)) return;
  state->cancel();
  refuse_busy("the server is busy, try again");
}

void Connection::choose_request_id(Request& request) {
  std::string_view sent = request.header("x-request-id");
  if (is_request_id(sent))
    request_id_ = sent;
  else
    request_id_ = base::new_id("req", loop_.clock.now(), loop_.random);
  request.request_id = request_id_;
}

void Connection::refuse(int status, std::string_view message) {
  keep_alive_ = false;
  respond(loop_.error_page(status, message));
}

void Connection::refuse_busy(std::string_view message) {
  Response response = loop_.error_page(503, message);
  response.headers.push_back({"Retry-After", "1"});
  respond(std::move(response));
}

void Connection::respond(Response response) {
  check_response(response);
  if (request_id_.empty()) choose_request_id(parser_.request());
  keep_alive_ = keep_alive_ && !loop_.stopping;
  ResponseFrame frame{.date = loop_.http_date_now(),
                      .request_id = request_id_,
                      .http_1_0 = parser_.is_http_1_0(),
                      .keep_alive = keep_alive_};
  out_head_.clear();
  append_response_head(out_head_, response, frame);
  bool has_body = method_ != "HEAD" && status_has_body(response.status);
  out_body_ = has_body ? std::move(response.body) : std::string();
  status_ = response.status;
  phase_ = Phase::writing;
  write_on();
}

void Connection::begin_stream(StreamHead stream) {
  Response& head = stream.head;
  bool has_body = method_ != "HEAD" && status_has_body(head.status);
  if (!has_body || eof_) return respond(std::move(head));
  chunked_ = !parser_.is_http_1_0();
  keep_alive_ = keep_alive_ && chunked_ && !loop_.stopping;
  ResponseFrame frame{.date = loop_.http_date_now(),
                      .request_id = request_id_,
                      .http_1_0 = parser_.is_http_1_0(),
                      .keep_alive = keep_alive_,
                      .streamed = true};
  out_body_.clear();
  append_response_head(out_body_, head, frame);
  status_ = head.status;
  phase_ = Phase::streaming;
  heartbeat_ = std::move(stream.heartbeat);
  streamed_ = written_ = 0;
  stream_ended_ = false;
  set_deadline(loop_.options.write_timeout);
  add_piece(head.body);
  if (phase_ == Phase::streaming && loop_.stopping) end_stream();
}

// A chunk of RFC 9112, 7.1; the bare bytes where the end of the connection ends the answer.
void Connection::add_piece(std::string_view text) {
  if (stream_ended_) return;
  if (written_ > body_read_bytes_max) out_body_.erase(0, std::exchange(written_, 0));
  if (!text.empty() && chunked_) out_body_.append(fmt::format("{:x}\r\n", text.size()));
  out_body_.append(text);
  if (!text.empty() && chunked_) out_body_.append("\r\n");
  if (out_body_.size() - written_ > loop_.options.stream_pending_bytes_max) return close();
  write_stream();
}

void Connection::end_stream() {
  if (std::exchange(stream_ended_, true)) return;
  if (chunked_) out_body_.append("0\r\n\r\n");
  write_stream();
}

void Connection::write_stream() {
  std::string_view body = out_body_;
  while (written_ < body.size() && !waits_writable_) {
    auto [bytes, failed] = transport_.write(body.substr(written_), {});
    if (failed) return close();
    if (bytes == 0) {
      waits_writable_ = true;
      set_deadline(loop_.options.write_timeout);  // not what is left until the next heartbeat
      return transport_.wait_writable();
    }
    written_ += bytes;
    streamed_ += bytes;
    set_deadline(loop_.options.write_timeout);
  }
  if (waits_writable_) return;
  out_body_.clear();
  written_ = 0;
  set_deadline(loop_.options.stream_heartbeat);
  if (!stream_ended_) return;
  out_head_.clear();
  on_written();
}

void Connection::write_on() {
  set_deadline(loop_.options.write_timeout);
  std::string_view head = out_head_;
  std::string_view body = out_body_;
  while (written_ < head.size() + body.size()) {
    std::size_t of_head = std::min(written_, head.size());
    auto [bytes, failed] = transport_.write(head.substr(of_head), body.substr(written_ - of_head));
    if (failed) return close();
    if (bytes == 0) return transport_.wait_writable();
    written_ += bytes;
  }
  on_written();
}

void Connection::on_written() {
  std::size_t bytes = out_head_.size() + out_body_.size() + std::exchange(streamed_, 0);
  written_ = 0;
  out_body_ = std::string();
  if (interim_) {
    interim_ = false;
    phase_ = Phase::body;
    return set_deadline(loop_.options.body_timeout);
  }
  if (loop_.options.access_log) log_request(bytes);
  if (keep_alive_ && !loop_.stopping) return become_idle();
  linger();
}

void Connection::log_request(std::size_t bytes) {
  std::chrono::duration<double, std::milli> duration = loop_.clock.steady() - started_;
  base::log_info("request", {{"method", method_},
                             {"path", path_},
                             {"status", status_},
                             {"duration_ms", duration.count()},
                             {"bytes", bytes},
                             {"ip", client_ip_},
                             {"request_id", request_id_}});
}

void Connection::become_idle() {
  phase_ = Phase::idle;
  set_deadline(loop_.options.idle_timeout);
}

// Closing with unread input would make the kernel send RST, and the client might lose the answer.
void Connection::linger() {
  if (eof_) return close();
  phase_ = Phase::lingering;
  set_deadline(linger_timeout);
  transport_.shutdown_send();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  mark_client_gone();
  if (phase_ == Phase::handling) status_ = status_client_gone;
  bool under_way = phase_ == Phase::handling || phase_ == Phase::streaming ||
                   (phase_ == Phase::writing && !interim_);
  if (under_way && loop_.options.access_log)
    log_request(phase_ == Phase::streaming ? streamed_ : written_);
  phase_ = Phase::closed;
  charge_ = {};
  transport_.close();
}

void Connection::mark_client_gone() {
  if (client_gone_) *client_gone_ = true;
}

void Connection::set_deadline(std::chrono::milliseconds after) {
  deadline_ = loop_.clock.steady() + after;
}

}  // namespace net
