#include "net/server.h"

#include "base/check.h"
#include "base/thread_safety.h"
#include "net/loop.h"
#include "net/worker_pool.h"

namespace net {

std::string_view Request::header(std::string_view name) const {
  for (const Header& header : headers)
    if (header.name == name) return header.value;
  return {};
}

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler, ErrorPage error_page)
      : options_(std::move(options)),
        error_page_(std::move(error_page)),
        pool_(options_.workers, options_.request_queue_max, std::move(handler), error_page_) {
    CHECK(options_.loop_threads > 0);
    for (int i = 0; i < options_.loop_threads; ++i)
      loops_.push_back(
          std::make_unique<Loop>(options_, error_page_, pool_, body_total_, connections_));
  }

  base::Result<> listen() {
    port_ = TRY(loops_.front()->listen(loops_));
    return {};
  }

  std::uint16_t port() const { return port_; }

  void start() {
    pool_.start();
    for (auto& loop : loops_) loop->start();
  }

  void stop(std::chrono::milliseconds drain) EXCLUDES(stop_mutex_) {
    base::MutexLock lock(stop_mutex_);
    if (stopped_) return;
    stopped_ = true;
    for (auto& loop : loops_) loop->begin_stop();
    connections_.wait_for_none(drain);
    for (auto& loop : loops_) loop->finish();
    pool_.stop();
  }

 private:
  const ServerOptions options_;
  const ErrorPage error_page_;
  std::uint16_t port_ = 0;
  ConnectionCount connections_;
  BodyTotal body_total_ = 0;  // before the pool, whose jobs hold shares of it
  WorkerPool pool_;
  std::vector<std::unique_ptr<Loop>> loops_;

  base::Mutex stop_mutex_;
  bool stopped_ GUARDED_BY(stop_mutex_) = false;
};

base::Result<std::unique_ptr<Server>> Server::create(ServerOptions options, Handler handler,
                                                     ErrorPage error_page) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler), std::move(error_page));
  TRY(impl->listen());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop(std::chrono::milliseconds(0));
}

std::uint16_t Server::port() const {
  return impl_->port();
}

void Server::start() {
  impl_->start();
}

void Server::stop(std::chrono::milliseconds drain) {
  impl_->stop(drain);
}

}  // namespace net
