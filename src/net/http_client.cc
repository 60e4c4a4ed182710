#include "net/http_client.h"

#include <atomic>
#include <deque>
#include <map>
#include <thread>

#include "base/limits.h"
#include "base/thread_safety.h"
#include "net/http_transfer.h"

namespace net {

namespace limits = base::limits;

class HttpClient::Impl {
 public:
  explicit Impl(HttpClientOptions options) : options_(std::move(options)) {}

  ~Impl() {
    stop();
    if (multi_ != nullptr) curl().multi_cleanup(multi_);
  }

  Id start(HttpRequest request, Done done) {
    base::MutexLock lock(mutex_);
    Id id = ++last_id_;
    if (stopping_) return id;
    inbox_.push_back({id, std::move(request), std::move(done)});
    if (multi_ != nullptr) {
      curl().multi_wakeup(multi_);
    } else {  // the first call
      multi_ = curl().multi_init();
      thread_ = std::thread([this] { run(); });
    }
    return id;
  }

  void cancel(Id id) {
    base::MutexLock lock(mutex_);
    if (multi_ == nullptr) return;
    cancelled_.push_back(id);
    curl().multi_wakeup(multi_);
  }

  void stop() {
    {
      base::MutexLock lock(mutex_);
      stopping_ = true;
      if (multi_ != nullptr) curl().multi_wakeup(multi_);
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Call {
    Id id;
    HttpRequest request;
    Done done;
  };
  struct Active {
    std::unique_ptr<HttpTransfer> transfer;
    Done done;
  };

  void run() {
    while (take_inbox()) {
      while (!waiting_.empty() && active_.size() < limits::http_transfers_max) begin();
      int running = 0;
      curl().multi_perform(multi_, &running);
      finish_done();
      constexpr int poll_millis = 60'000;  // a call, a cancel or a byte wakes it
      bool may_begin = !waiting_.empty() && active_.size() < limits::http_transfers_max;
      curl().multi_poll(multi_, nullptr, 0, may_begin ? 0 : poll_millis, nullptr);
    }
    for (auto& [id, active] : active_)
      curl().multi_remove_handle(multi_, active.transfer->handle());
    active_.clear();
  }

  // False: the client stops.
  bool take_inbox() {
    std::vector<Id> cancelled;
    {
      base::MutexLock lock(mutex_);
      if (stopping_) return false;
      for (Call& call : inbox_) waiting_.push_back(std::move(call));
      inbox_.clear();
      cancelled.swap(cancelled_);
    }
    for (Id id : cancelled) drop(id);
    return true;
  }

  void drop(Id id) {
    for (auto call = waiting_.begin(); call != waiting_.end(); ++call) {
      if (call->id != id) continue;
      Done done = std::move(call->done);
      waiting_.erase(call);
      return done(HttpTransfer::cancelled_end());
    }
    auto found = active_.find(id);
    if (found == active_.end()) return;
    curl().multi_remove_handle(multi_, found->second.transfer->handle());
    Active active = std::move(found->second);
    active_.erase(found);
    active.done(active.transfer->cancel());
  }

  void begin() {
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    auto transfer =
        std::make_unique<HttpTransfer>(call.id, std::move(call.request), options_, bodies_);
    curl().multi_add_handle(multi_, transfer->handle());
    active_.emplace(call.id, Active{std::move(transfer), std::move(call.done)});
  }

  void finish_done() {
    int left = 0;
    while (CURLMsg* message = curl().multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURLcode code = message->data.result;
      auto found = active_.find(HttpTransfer::id_of(message->easy_handle));
      curl().multi_remove_handle(multi_, found->second.transfer->handle());
      std::optional<HttpEnd> end = found->second.transfer->hop_done(code);
      if (!end) {  // a redirect
        curl().multi_add_handle(multi_, found->second.transfer->handle());
        continue;
      }
      Active active = std::move(found->second);
      active_.erase(found);
      active.done(std::move(*end));
    }
  }

  const HttpClientOptions options_;
  CURLM* multi_ = nullptr;  // set by the first call, under the mutex, before the thread begins
  BodyTotal bodies_{0};     // before all that may hold a share of it

  base::Mutex mutex_;
  std::vector<Call> inbox_ GUARDED_BY(mutex_);
  std::vector<Id> cancelled_ GUARDED_BY(mutex_);
  Id last_id_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;

  // Of the thread alone.
  std::deque<Call> waiting_;
  std::map<Id, Active> active_;
  std::thread thread_;
};

HttpClient::HttpClient(HttpClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
HttpClient::~HttpClient() = default;

HttpClient::Id HttpClient::start(HttpRequest request, Done done) {
  return impl_->start(std::move(request), std::move(done));
}
void HttpClient::cancel(Id id) {
  impl_->cancel(id);
}
void HttpClient::stop() {
  impl_->stop();
}

}  // namespace net
