#include "net/loop.h"

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <optional>
#include <thread>

#include "base/log.h"
#include "net/connection.h"
#include "net/tls.h"

namespace net {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

// Beyond connections_max this many more may wait for their 503; further ones are closed at once.
constexpr std::size_t refused_connections_max = 64;
constexpr auto accept_retry = 100ms;  // after accept failed, as without file descriptors

std::string address_text(asio::ip::address address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  return address.to_string();
}

std::uint64_t random_seed() {
  return base::SystemRandom().next_u64();
}

// Deadlines are kept to within a quarter of the shortest, by one timer a loop.
std::chrono::milliseconds tick_interval(const ServerOptions& options) {
  auto shortest = std::min(
      {options.header_timeout, options.body_timeout, options.write_timeout, options.idle_timeout});
  return std::clamp<std::chrono::milliseconds>(shortest / 4, 5ms, 250ms);
}

}  // namespace

std::size_t ConnectionCount::add() {
  base::MutexLock lock(mutex_);
  return ++count_;
}

void ConnectionCount::remove() {
  base::MutexLock lock(mutex_);
  if (--count_ == 0) none_.notify_all();
}

void ConnectionCount::wait_for_none(std::chrono::milliseconds at_most) {
  auto deadline = base::SystemClock().steady() + at_most;
  base::MutexLock lock(mutex_);
  while (count_ > 0 && none_.wait_until(mutex_, deadline)) {
  }
}

class Loop::Impl {
 public:
  Impl(const ServerOptions& options, const ErrorPage& error_page, WorkerPool& pool,
       BodyTotal& body_total, ConnectionCount& count);

  base::Result<std::uint16_t> listen(const std::vector<std::unique_ptr<Loop>>& loops);
  void start();
  void begin_stop();
  void finish();

 private:
  class Socket;

  void accept();
  void on_accepted(const error_code& ec, tcp::socket socket);
  void adopt(tcp::socket socket, std::size_t number);
  void remove(Socket& socket);
  void arm_tick();
  void on_tick();
  void deliver_answers();
  template <class Function>
  void run_on_loop(Function function);

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  asio::steady_timer ticker_{io_};
  bool ticking_ = false;
  const std::chrono::milliseconds tick_;
  ConnectionCount& count_;
  LoopContext context_;
  std::vector<Answer> answers_;  // of deliver_answers, kept for its memory
  std::vector<std::shared_ptr<Socket>> sockets_;

  std::optional<tcp::acceptor> acceptor_;  // of the first loop only
  asio::steady_timer accept_retry_{io_};
  std::vector<Impl*> targets_;
  std::size_t next_target_ = 0;

  std::thread thread_;
};

// Kept alive by the loop until closed, and by each operation under way. With TLS the connection
// sees what is inside of it: writes are taken while nothing of earlier ones is left to send.
class Loop::Impl::Socket : public Transport, public std::enable_shared_from_this<Socket> {
 public:
  Socket(Impl& loop, tcp::socket socket, std::string client_ip)
      : connection(loop.context_, *this, std::move(client_ip)),
        loop_(loop),
        socket_(std::move(socket)) {
    if (const auto& tls = loop.context_.options.tls) tls_.emplace(*tls);
  }

  void read(std::span<char> into) override {
    if (tls_) return decrypt(into, /*is_inside_read=*/true);
    socket_.async_read_some(asio::buffer(into.data(), into.size()),
                            [self = shared_from_this()](const error_code& ec, std::size_t bytes) {
                              if (ec && ec != asio::error::eof) return self->connection.on_failed();
                              self->connection.on_read(ec ? 0 : bytes);
                            });
  }

  Written write(std::string_view head, std::string_view body) override {
    if (!tls_) return write_some(head, body);
    if (!flush()) return {.failed = true};
    std::size_t taken = 0;
    while (tls_->to_send().empty() && taken < head.size() + body.size()) {
      std::string_view next =
          taken < head.size() ? head.substr(taken) : body.substr(taken - head.size());
      std::size_t bytes = tls_->write(next);
      if (bytes == 0 || !flush()) return {.failed = true};
      taken += bytes;
    }
    flush_later();
    return {taken, false};
  }

  void wait_writable() override {
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& ec) {
      if (ec || (self->tls_ && !self->flush())) return self->connection.on_failed();
      if (self->tls_ && !self->tls_->to_send().empty()) return self->wait_writable();
      self->connection.on_writable();
    });
  }

  void shutdown_send() override {
    sends_no_more_ = true;
    if (tls_) {
      tls_->end();
      if (flush() && !tls_->to_send().empty()) return flush_later();
    }
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
    loop_.remove(*this);
  }

  Connection connection;
  std::size_t index = 0;  // in sockets_

 private:
  Written write_some(std::string_view head, std::string_view body) {
    std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(body)};
    error_code ec;
    std::size_t bytes = socket_.write_some(buffers, ec);
    bool failed = ec && ec != asio::error::would_block && ec != asio::error::try_again;
    return {bytes, failed};
  }

  // Sends what the kernel takes of what TLS has to send. False when the connection is broken.
  bool flush() {
    while (!tls_->to_send().empty()) {
      Written written = write_some(tls_->to_send(), {});
      if (written.failed) return false;
      if (written.bytes == 0) return true;
      tls_->sent(written.bytes);
    }
    return true;
  }

  // Sends the rest when the connection has no reason to ask for it.
  void flush_later() {
    if (flushing_ || tls_->to_send().empty()) return;
    flushing_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& ec) {
      self->flushing_ = false;
      if (ec || !self->flush()) return;  // the connection hears of it from its read
      self->flush_later();
      if (self->sends_no_more_ && self->tls_->to_send().empty()) self->shutdown_send();
    });
  }

  void decrypt(std::span<char> into, bool is_inside_read) {
    TlsSession::Read read = tls_->read(into);
    bool is_sent = flush();
    flush_later();
    auto report = [self = shared_from_this(), read, is_sent] {
      if (!is_sent || read.state == TlsSession::State::failed) return self->connection.on_failed();
      self->connection.on_read(read.bytes);
    };
    bool waits = read.bytes == 0 && read.state == TlsSession::State::open && is_sent;
    if (waits) return receive(into);
    is_inside_read ? asio::post(loop_.io_, std::move(report)) : report();
  }

  void receive(std::span<char> into) {
    wire_.resize(wire_bytes);
    socket_.async_read_some(asio::buffer(wire_), [self = shared_from_this(), into](
                                                     const error_code& ec, std::size_t bytes) {
      if (ec && ec != asio::error::eof) return self->connection.on_failed();
      if (ec) return self->connection.on_read(0);
      self->tls_->receive(std::string_view(self->wire_.data(), bytes));
      self->decrypt(into, /*is_inside_read=*/false);
    });
  }

  static constexpr std::size_t wire_bytes = 16u << 10;

  Impl& loop_;
  tcp::socket socket_;
  std::optional<TlsSession> tls_;
  std::vector<char> wire_;  // of a read under way, encrypted
  bool flushing_ = false;
  bool sends_no_more_ = false;
};

Loop::Impl::Impl(const ServerOptions& options, const ErrorPage& error_page, WorkerPool& pool,
                 BodyTotal& body_total, ConnectionCount& count)
    : tick_(tick_interval(options)),
      count_(count),
      context_{
          .options = options, .error_page = error_page, .pool = pool, .body_total = body_total} {
  context_.random = base::SeededRandom(random_seed());
  context_.outbox =
      std::make_shared<Outbox>([this] { asio::post(io_, [this] { deliver_answers(); }); });
}

base::Result<std::uint16_t> Loop::Impl::listen(const std::vector<std::unique_ptr<Loop>>& loops) {
  const ServerOptions& options = context_.options;
  for (const auto& loop : loops) targets_.push_back(loop->impl_.get());
  try {
    tcp::resolver resolver(io_);
    auto found = resolver.resolve(options.address, std::to_string(options.port),
                                  tcp::resolver::passive | tcp::resolver::numeric_service);
    acceptor_.emplace(io_, found.begin()->endpoint(), true);
    std::uint16_t port = acceptor_->local_endpoint().port();
    accept();
    return port;
  } catch (const boost::system::system_error& e) {
    return base::unavailable("cannot listen on " + options.address + ":" +
                             std::to_string(options.port) + ": " + e.code().message());
  }
}

void Loop::Impl::start() {
  thread_ = std::thread([this] { io_.run(); });
}

void Loop::Impl::accept() {
  acceptor_->async_accept(
      targets_[next_target_]->io_,
      [this](const error_code& ec, tcp::socket socket) { on_accepted(ec, std::move(socket)); });
}

void Loop::Impl::on_accepted(const error_code& ec, tcp::socket socket) {
  if (context_.stopping) return;
  if (ec) {
    base::log_warning("accept failed", {{"error", ec.message()}});
    accept_retry_.expires_after(accept_retry);
    return accept_retry_.async_wait([this](const error_code& cancelled) {
      if (!cancelled && !context_.stopping) accept();
    });
  }
  Impl* target = targets_[next_target_];
  next_target_ = (next_target_ + 1) % targets_.size();
  std::size_t number = count_.add();
  if (target == this)
    adopt(std::move(socket), number);
  else
    asio::post(target->io_, [target, number, moved = std::move(socket)]() mutable {
      target->adopt(std::move(moved), number);
    });
  accept();
}

void Loop::Impl::adopt(tcp::socket socket, std::size_t number) {
  std::size_t connections_max = context_.options.connections_max;
  error_code ec;
  tcp::endpoint peer = socket.remote_endpoint(ec);
  if (!ec) socket.non_blocking(true, ec);
  if (!ec) socket.set_option(tcp::no_delay(true), ec);
  if (ec || context_.stopping || number > connections_max + refused_connections_max)
    return count_.remove();
  auto shared = std::make_shared<Socket>(*this, std::move(socket), address_text(peer.address()));
  shared->index = sockets_.size();
  sockets_.push_back(shared);
  arm_tick();
  if (number > connections_max) return shared->connection.start_refused();
  shared->connection.start(std::shared_ptr<Connection>(shared, &shared->connection));
}

void Loop::Impl::remove(Socket& socket) {
  std::size_t index = socket.index;
  std::shared_ptr<Socket> removed = std::move(sockets_[index]);
  if (index + 1 < sockets_.size()) {
    sockets_[index] = std::move(sockets_.back());
    sockets_[index]->index = index;
  }
  sockets_.pop_back();
  count_.remove();
  // The caller is a member of `removed`: it goes once the stack is unwound.
  asio::post(io_, [removed = std::move(removed)] {});
}

// No connections, no ticks: an idle server sleeps.
void Loop::Impl::arm_tick() {
  if (ticking_ || sockets_.empty()) return;
  ticking_ = true;
  ticker_.expires_after(tick_);
  ticker_.async_wait([this](const error_code& ec) {
    ticking_ = false;
    if (!ec) on_tick();
  });
}

void Loop::Impl::on_tick() {
  base::SteadyTime now = context_.clock.steady();
  // Backwards: remove() puts the last one, already seen, into the gap.
  for (std::size_t i = sockets_.size(); i-- > 0;) sockets_[i]->connection.on_tick(now);
  arm_tick();
}

void Loop::Impl::deliver_answers() {
  context_.outbox->take(answers_);
  for (Answer& answer : answers_)
    if (auto connection = answer.connection.lock())
      connection->on_answer(answer.sequence, std::move(answer.part));
  answers_.clear();
}

// Runs `function` on the loop's thread and waits for it.
template <class Function>
void Loop::Impl::run_on_loop(Function function) {
  if (!thread_.joinable()) return function();
  std::promise<void> done;
  std::future<void> finished = done.get_future();
  asio::post(io_, [&function, done = std::move(done)]() mutable {
    function();
    done.set_value();
  });
  finished.wait();
}

void Loop::Impl::begin_stop() {
  run_on_loop([this] {
    context_.stopping = true;
    error_code ignored;
    if (acceptor_) acceptor_->close(ignored);
    accept_retry_.cancel();
    for (std::size_t i = sockets_.size(); i-- > 0;) sockets_[i]->connection.on_stopping();
  });
}

void Loop::Impl::finish() {
  run_on_loop([this] {
    while (!sockets_.empty()) sockets_.back()->connection.cut();
  });
  context_.outbox->close();
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

Loop::Loop(const ServerOptions& options, const ErrorPage& error_page, WorkerPool& pool,
           BodyTotal& body_total, ConnectionCount& count)
    : impl_(std::make_unique<Impl>(options, error_page, pool, body_total, count)) {}

Loop::~Loop() {
  impl_->finish();
}

base::Result<std::uint16_t> Loop::listen(const std::vector<std::unique_ptr<Loop>>& loops) {
  return impl_->listen(loops);
}

void Loop::start() {
  impl_->start();
}

void Loop::begin_stop() {
  impl_->begin_stop();
}

void Loop::finish() {
  impl_->finish();
}

}  // namespace net
