// A server at work: everything between the store and the network, of `dagy serve` and of a local
// run.
#pragma once

#include <memory>
#include <optional>

#include "api/api.h"
#include "app/data_directory.h"
#include "app/owner.h"
#include "app/settings.h"
#include "exec/process.h"
#include "net/trusted_proxies.h"
#include "runtime/attempts.h"
#include "runtime/janitor.h"
#include "runtime/run_loop.h"
#include "runtime/shard.h"

namespace app {

/// Members are built top down and end bottom up.
class Running {
 public:
  Running(const Settings& settings, const DataDirectory& directory, store::Store& store,
          std::unique_ptr<exec::ProcessHost> host, std::unique_ptr<net::HttpClient> http,
          net::TrustedProxies proxies, const auth::Sealer& sealer, auth::SignedUrls signed_urls,
          std::vector<std::string> allowed_paths, base::Clock& clock);
  ~Running();

  /// Goes on with the live runs and listens. The owner, if this is the first start.
  base::Result<std::optional<NewOwner>> start();
  std::uint16_t port() const { return server_->port(); }
  /// Lets running tasks and requests end, within the drain time.
  void drain();

 private:
  const Settings& settings_;
  base::Clock& clock_;
  const exec::Isolation isolation_;
  base::SystemRandom random_;
  store::Store& store_;
  std::unique_ptr<store::Objects> objects_;
  runtime::PlanCache plans_;
  runtime::Evaluator evaluator_;
  runtime::Connections connections_;
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

/// `invalid` names the setting that cannot be used.
base::Result<std::unique_ptr<net::HttpClient>> make_http_client(const Settings& settings);
/// The master key of the settings, or of the data directory, which fits what `store` holds.
base::Result<auth::Sealer> open_sealer(const Settings& settings, const DataDirectory& directory,
                                       store::Store& store, base::Random& random);

}  // namespace app
