#include "app/stand_by.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "api/api.h"
#include "app/listening.h"
#include "base/log.h"
#include "base/random.h"
#include "base/thread_safety.h"
#include "net/server.h"

namespace app {

namespace {

// Whoever has this data directory, and so its lock, is the same node.
base::Result<std::string> instance_of(const DataDirectory& directory) {
  std::string path = directory.file("node.id");
  std::string instance;
  std::getline(std::ifstream(path), instance);
  if (!instance.empty()) return instance;
  base::SystemRandom random;
  instance = base::random_token(random, 16);
  std::ofstream file(path);
  file << instance << '\n';
  file.close();
  if (!file) return base::unavailable("cannot write " + path);
  return instance;
}

std::string own_address(const Settings& settings) {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return settings.port == 0 ? name : fmt::format("{}:{}", name, settings.port);
}

// Answers while another node works.
class StandBy {
 public:
  base::Result<> start(Settings& settings) {
    net::ServerOptions options = TRY(server_options(settings));
    options.workers = 1;
    server_ = TRY(net::Server::create(
        options,
        [this](net::Request request, net::Responder responder) {
          responder.send(answer(request.path));
        },
        api::Api::error_page));
    server_->start();
    settings.port = server_->port();
    return {};
  }
  bool is_started() const { return server_ != nullptr; }
  void know(const store::WorkingNode& working) {
    base::MutexLock lock(mutex_);
    detail_ =
        fmt::format("this node stands by: node {} at {} works", working.node, working.address);
  }
  std::string detail() const {
    base::MutexLock lock(mutex_);
    return detail_;
  }

 private:
  net::Response answer(const std::string& path) const {
    if (path != "/health/live") {
      net::Response refusal = api::Api::error_page(503, detail());
      refusal.headers.push_back({"Retry-After", "2"});
      return refusal;
    }
    net::Response live;
    live.body = R"({"status":"ok","version":")" DAGY_VERSION R"("})";
    return live;
  }

  mutable base::Mutex mutex_;
  std::string detail_ GUARDED_BY(mutex_);
  std::unique_ptr<net::Server> server_;
};

}  // namespace

base::Result<bool> wait_for_turn(store::Membership& membership, Settings& settings,
                                 const DataDirectory& directory, const sigset_t& stop_signals) {
  store::NodeIdentity identity;
  identity.instance = TRY(instance_of(directory));
  identity.address = own_address(settings);
  StandBy stand_by;
  const timespec at_once{};
  while (sigtimedwait(&stop_signals, nullptr, &at_once) < 0) {
    base::Result<std::optional<store::WorkingNode>> other = membership.acquire(identity);
    if (other && !*other) return true;
    if (!other && !stand_by.is_started()) return other.error();
    if (other) stand_by.know(**other);
    if (!stand_by.is_started()) {
      TRY(stand_by.start(settings));
      base::log_info(stand_by.detail());
      fmt::print("Dagy {} stands by at {}\n", DAGY_VERSION, own_url(settings, settings.port));
      std::fflush(stdout);
    }
    membership.wait_for_change();
  }
  return false;
}

}  // namespace app
