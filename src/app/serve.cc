#include "app/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <thread>

#include "api/api.h"
#include "app/data_directory.h"
#include "app/database.h"
#include "app/listening.h"
#include "app/owner.h"
#include "app/process_host.h"
#include "app/stand_by.h"
#include "base/log.h"
#include "base/random.h"
#include "exec/process.h"
#include "nodes/catalog.h"
#include "runtime/attempts.h"
#include "runtime/janitor.h"
#include "runtime/run_loop.h"
#include "runtime/shard.h"

namespace app {

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void announce(const Settings& settings, std::uint16_t port) {
  fmt::print("Dagy {} is ready at {}\n", DAGY_VERSION, own_url(settings, port));
  std::fflush(stdout);
}

// Everything of a running server; members are built top down and end bottom up.
class Running {
 public:
  Running(const Settings& settings, const DataDirectory& directory, store::Store& store,
          std::unique_ptr<exec::ProcessHost> host, std::unique_ptr<net::HttpClient> http,
          net::TrustedProxies proxies, auth::SignedUrls signed_urls, base::Clock& clock)
      : settings_(settings),
        clock_(clock),
        isolation_(host->isolation()),
        store_(store),
        objects_(open_objects(store, directory, clock)),
        plans_(store, nodes::catalog()),
        evaluator_(store, *objects_, plans_, clock),
        artifacts_(directory.file("artifacts"), store, *objects_),
        attempts_(std::move(host), std::move(http), evaluator_, *objects_, artifacts_, clock,
                  {.work_root = directory.file("work"), .sdk_path = {}}),
        shard_(store, attempts_, clock, nodes::catalog(),
               {.slots = base::limits::processes_per_core *
                         std::max(1u, std::thread::hardware_concurrency()),
                .node = store.membership() ? store.membership()->node() : std::uint16_t{0}}),
        loop_(shard_, clock),
        janitor_(store, *objects_, clock),
        pool_(2),
        rate_limit_(settings.rate_limit_per_minute, settings.rate_limit_burst, clock),
        signed_urls_(std::move(signed_urls)),
        authenticator_(store, hasher_, clock, random_,
                       std::chrono::seconds(settings.access_token_ttl_seconds)),
        api_({store, *objects_, artifacts_, authenticator_, rate_limit_, signed_urls_, loop_, feed_,
              pool_, plans_, nodes::catalog(), clock, random_, isolation_,
              tenancy_of(settings, isolation_), std::move(proxies)}) {
    attempts_.report_to(loop_);
    shard_.observe(feed_);
  }

  base::Result<> start() {
    base::Result<bool> first = make_owner(store_, hasher_, clock_, random_, settings_);
    if (!first) return first.error();
    artifacts_.tidy();
    attempts_.keep_directories(TRY(store_.live_runs()));
    TRY(shard_.recover());
    net::ServerOptions options = TRY(server_options(settings_));
    server_ = TRY(net::Server::create(
        std::move(options),
        [this](net::Request request, net::Responder responder) {
          api_.handle(std::move(request), std::move(responder));
        },
        api::Api::error_page));
    loop_.start();
    janitor_.start();
    server_->start();
    announce(settings_, server_->port());
    return {};
  }

  ~Running() {
    if (server_) server_->stop(std::chrono::seconds(0));
    janitor_.stop();
    loop_.stop();
    attempts_.shut_down();
  }

  /// Lets running tasks and requests end, within the drain time.
  void drain() {
    auto limit = std::chrono::seconds(settings_.drain_seconds);
    loop_.drain(limit);
    store_.give_up_waiting();
    loop_.stop();
    server_->stop(limit);
  }

 private:
  const Settings& settings_;
  base::Clock& clock_;
  const exec::Isolation isolation_;
  base::SystemRandom random_;
  store::Store& store_;
  std::unique_ptr<store::Objects> objects_;
  runtime::PlanCache plans_;
  runtime::Evaluator evaluator_;
  store::ArtifactFiles artifacts_;
  runtime::Attempts attempts_;
  runtime::Shard shard_;
  runtime::RunFeed feed_;
  runtime::RunLoop loop_;
  runtime::Janitor janitor_;
  runtime::WorkPool pool_;
  auth::PasswordHasher hasher_;
  auth::RateLimit rate_limit_;
  const auth::SignedUrls signed_urls_;
  auth::Authenticator authenticator_;
  api::Api api_;
  std::unique_ptr<net::Server> server_;
};

base::Result<std::unique_ptr<net::HttpClient>> make_http_client(const Settings& settings) {
  auto policy = net::OutboundPolicy::create(settings.http_allow);
  if (!policy) return base::invalid("DAGY_HTTP_ALLOW: " + policy.error().message);
  if (!settings.http_ca_file.empty() && access(settings.http_ca_file.c_str(), R_OK) != 0)
    return base::invalid("DAGY_HTTP_CA_FILE: cannot be read: " + settings.http_ca_file);
  return std::make_unique<net::HttpClient>(
      net::HttpClientOptions{std::move(*policy), settings.http_ca_file});
}

// Ends the process when a second signal comes while the first is being obeyed.
void watch_for_second_signal() {
  std::thread([] {
    sigset_t signals = stop_signals();
    int signal = 0;
    sigwait(&signals, &signal);
    base::log_warning("second signal: stopping at once");
    _exit(128 + signal);
  }).detach();
}

// What it had begun, another node begins again; its own spawner ends it here.
void end_as_taken_over() {
  base::log_error("another node has taken over this one's runs, the process ends");
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

base::Result<> serve(Settings settings) {
  sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread, so that all inherit it
  signal(SIGPIPE, SIG_IGN);
  drop_secrets_from_environment();
  for (const std::string& name : unknown_variables())
    base::log_warning("unknown variable is ignored", {{"name", name}});
  // What this process holds in memory is not for others of its user to read.
  prctl(PR_SET_DUMPABLE, 0);
  base::SystemClock clock;
  auto http = TRY(make_http_client(settings));
  auto proxies = TRY(trusted_proxies(settings));
  TRY(server_options(settings));  // what is wrong with them is said before anything is begun
  DataDirectory directory = TRY(DataDirectory::open(settings.data_dir));
  std::unique_ptr<store::Store> store = TRY(open_database(settings, clock, end_as_taken_over));
  store::Membership* membership = store->membership();
  if (membership && !TRY(wait_for_turn(*membership, settings, directory, signals))) return {};
  base::SystemRandom random;
  auto signed_urls = TRY(auth::SignedUrls::open(*store, clock, random));
  auto host = TRY(start_process_host(settings, directory, clock));
  auto running =
      std::make_unique<Running>(settings, directory, *store, std::move(host), std::move(http),
                                std::move(proxies), std::move(signed_urls), clock);
  TRY(running->start());
  int signal = 0;
  sigwait(&signals, &signal);
  base::log_info("stopping", {{"signal", signal}});
  watch_for_second_signal();
  running->drain();
  running.reset();
  if (membership) membership->release();
  base::log_info("stopped");
  return {};
}

}  // namespace app
