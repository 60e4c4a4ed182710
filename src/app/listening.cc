#include "app/listening.h"

#include <fmt/format.h>

#include "net/tls.h"

namespace app {

base::Result<net::ServerOptions> server_options(const Settings& settings) {
  net::ServerOptions options;
  options.address = settings.address;
  options.port = static_cast<std::uint16_t>(settings.port);
  if (settings.tls_cert_file.empty() != settings.tls_key_file.empty())
    return base::invalid("DAGY_TLS_CERT_FILE and DAGY_TLS_KEY_FILE: give both or none");
  if (settings.tls_cert_file.empty()) return options;
  auto tls = net::TlsContext::create(settings.tls_cert_file, settings.tls_key_file);
  if (!tls) return base::invalid("DAGY_TLS_CERT_FILE, DAGY_TLS_KEY_FILE: " + tls.error().message);
  options.tls = std::move(*tls);
  return options;
}

base::Result<net::TrustedProxies> trusted_proxies(const Settings& settings) {
  auto proxies = net::TrustedProxies::create(settings.trusted_proxies);
  if (!proxies) return base::invalid("DAGY_TRUSTED_PROXIES: " + proxies.error().message);
  return proxies;
}

std::string own_url(const Settings& settings, int port) {
  std::string host = settings.address == "127.0.0.1" ? "localhost" : settings.address;
  if (host.find(':') != std::string::npos) host = '[' + host + ']';
  return fmt::format("{}://{}:{}", settings.tls_cert_file.empty() ? "http" : "https", host, port);
}

}  // namespace app
