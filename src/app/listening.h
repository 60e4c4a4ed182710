// Where and how the server listens, from its settings.
#pragma once

#include <string>

#include "app/settings.h"
#include "net/server.h"
#include "net/trusted_proxies.h"

namespace app {

/// `invalid` names the setting that cannot be used.
base::Result<net::ServerOptions> server_options(const Settings& settings);
base::Result<net::TrustedProxies> trusted_proxies(const Settings& settings);

/// "https://host:8000"
std::string own_url(const Settings& settings, int port);

}  // namespace app
