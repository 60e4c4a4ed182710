// What handlers work with; wired by app/.
#pragma once

#include "auth/accounts.h"
#include "auth/authenticator.h"
#include "auth/rate_limit.h"
#include "auth/signed_urls.h"
#include "base/clock.h"
#include "base/random.h"
#include "exec/process.h"
#include "net/trusted_proxies.h"
#include "runtime/attempts.h"
#include "runtime/connections.h"
#include "runtime/plan_cache.h"
#include "runtime/run_feed.h"
#include "runtime/run_loop.h"
#include "runtime/work_pool.h"
#include "store/artifact_files.h"
#include "store/objects.h"
#include "store/store.h"

namespace api {

struct Services {
  store::Store& store;
  store::Objects& objects;
  store::ArtifactFiles& artifacts;
  auth::Authenticator& authenticator;
  auth::RateLimit& rate_limit;
  const auth::SignedUrls& signed_urls;
  runtime::RunLoop& loop;
  runtime::RunFeed& feed;
  runtime::WorkPool& pool;
  runtime::PlanCache& plans;
  runtime::Connections& connections;
  runtime::Attempts& attempts;
  model::NodeCatalog catalog;
  base::Clock& clock;
  base::Random& random;
  const exec::Isolation& isolation;  // of the attempts on this machine
  auth::Tenancy tenancy;             // whether there may be further organizations
  net::TrustedProxies proxies;
};

}  // namespace api
