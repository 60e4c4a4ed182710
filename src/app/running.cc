#include "app/running.h"

#include <unistd.h>

#include <thread>

#include "app/database.h"
#include "app/listening.h"
#include "app/process_host.h"
#include "nodes/catalog.h"

namespace app {

Running::Running(const Settings& settings, const DataDirectory& directory, store::Store& store,
                 std::unique_ptr<exec::ProcessHost> host, std::unique_ptr<net::HttpClient> http,
                 net::TrustedProxies proxies, const auth::Sealer& sealer,
                 auth::SignedUrls signed_urls, std::vector<std::string> allowed_paths,
                 base::Clock& clock)
    : settings_(settings),
      clock_(clock),
      isolation_(host->isolation()),
      store_(store),
      objects_(open_objects(store, directory, clock)),
      plans_(store, nodes::catalog()),
      evaluator_(store, *objects_, plans_, clock),
      connections_(store, sealer,
                   {.http_allow = settings.http_allow,
                    .allowed_paths = std::move(allowed_paths),
                    .data_directory = directory.path()}),
      artifacts_(directory.file("artifacts"), store, *objects_),
      attempts_(std::move(host), std::move(http), evaluator_, connections_, *objects_, artifacts_,
                clock, {.work_root = directory.file("work"), .sdk_path = sdk_path(directory)}),
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
            pool_, plans_, connections_, attempts_, nodes::catalog(), clock, random_, isolation_,
            tenancy_of(settings, isolation_), std::move(proxies)}) {
  attempts_.report_to(loop_);
  shard_.observe(feed_);
}

base::Result<std::optional<NewOwner>> Running::start() {
  std::optional<NewOwner> owner = TRY(make_owner(store_, hasher_, clock_, random_, settings_));
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
  return owner;
}

Running::~Running() {
  if (server_) server_->stop(std::chrono::seconds(0));
  janitor_.stop();
  loop_.stop();
  attempts_.shut_down();
}

void Running::drain() {
  auto limit = std::chrono::seconds(settings_.drain_seconds);
  loop_.drain(limit);
  store_.give_up_waiting();
  loop_.stop();
  server_->stop(limit);
}

base::Result<std::unique_ptr<net::HttpClient>> make_http_client(const Settings& settings) {
  auto policy = net::OutboundPolicy::create(settings.http_allow);
  if (!policy) return base::invalid("DAGY_HTTP_ALLOW: " + policy.error().message);
  if (!settings.http_ca_file.empty() && access(settings.http_ca_file.c_str(), R_OK) != 0)
    return base::invalid("DAGY_HTTP_CA_FILE: cannot be read: " + settings.http_ca_file);
  return std::make_unique<net::HttpClient>(
      net::HttpClientOptions{std::move(*policy), settings.http_ca_file});
}

base::Result<auth::Sealer> open_sealer(const Settings& settings, const DataDirectory& directory,
                                       store::Store& store, base::Random& random) {
  std::string file =
      settings.master_key_file.empty() ? directory.file("master.key") : settings.master_key_file;
  auto sealer = auth::Sealer::open(file, random);
  if (!sealer) return base::invalid("DAGY_MASTER_KEY_FILE: " + sealer.error().message);
  TRY(store.read([&](store::Tx& tx) { return sealer->check_key(tx); }));
  return sealer;
}

}  // namespace app
