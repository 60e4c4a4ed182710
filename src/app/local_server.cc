#include "app/local_server.h"

#include <fmt/format.h>
#include <signal.h>

#include "app/database.h"
#include "app/listening.h"
#include "app/process_host.h"
#include "app/running.h"
#include "base/ids.h"
#include "base/log.h"

namespace app {

namespace {

// Signals that come while a server's threads are made are for the thread that makes them alone.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

Settings settings_of(const cli::LocalOptions& options) {
  Settings settings;
  settings.port = 0;
  settings.data_dir = options.data_dir;
  settings.allowed_paths = options.allowed_paths;
  settings.http_allow = options.http_allow;
  settings.rate_limit_per_minute = 0;
  return settings;
}

class InProcess : public cli::LocalServer {
 public:
  InProcess(Settings settings, DataDirectory directory)
      : settings_(std::move(settings)), directory_(std::move(directory)) {}

  base::Result<> start() {
    signal(SIGPIPE, SIG_IGN);  // a socket that was closed is an error of the call
    SignalsHeld held;
    auto http = TRY(make_http_client(settings_));
    auto proxies = TRY(trusted_proxies(settings_));
    store_ = TRY(open_database(settings_, clock_));
    sealer_ = TRY(open_sealer(settings_, directory_, *store_, random_));
    auto signed_urls = TRY(auth::SignedUrls::open(*store_, clock_, random_));
    auto host = TRY(start_process_host(settings_, directory_, clock_));
    running_ = std::make_unique<Running>(
        settings_, directory_, *store_, std::move(host), std::move(http), std::move(proxies),
        *sealer_, std::move(signed_urls), TRY(allowed_directories(settings_)), clock_);
    TRY(running_->start());
    return make_token();
  }

  cli::Server address() const override {
    cli::Server server;
    server.url = fmt::format("http://127.0.0.1:{}", running_->port());
    server.token = token_;
    server.uses_proxy = false;
    return server;
  }

 private:
  base::Result<> make_token() {
    token_ = "dagy_at_" + base::random_token(random_, 32);
    base::Timestamp now = clock_.now();
    return store_->write([&](store::Tx& tx) -> base::Result<> {
      std::optional<auth::User> user = TRY(auth::find_user(tx, settings_.owner_email));
      std::optional<auth::Identity> identity;
      if (user) identity = TRY(auth::find_membership(tx, *user, std::nullopt));
      if (!identity)
        return base::invalid(
            fmt::format("--data-dir {}: it is not one of local runs", settings_.data_dir));
      std::chrono::seconds ttl(settings_.access_token_ttl_seconds);
      return auth::insert_token(tx, base::sha256_hex(token_), *identity, now, now + ttl);
    });
  }

  const Settings settings_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  DataDirectory directory_;
  std::unique_ptr<store::Store> store_;
  std::optional<auth::Sealer> sealer_;
  std::unique_ptr<Running> running_;
  std::string token_;
};

}  // namespace

base::Result<std::unique_ptr<cli::LocalServer>> start_local_server(
    const cli::LocalOptions& options) {
  base::set_log_level(base::LogLevel::error);
  Settings settings = settings_of(options);
  DataDirectory directory = TRY(DataDirectory::open(settings.data_dir));
  auto server = std::make_unique<InProcess>(std::move(settings), std::move(directory));
  TRY(server->start());
  return std::unique_ptr<cli::LocalServer>(std::move(server));
}

}  // namespace app
