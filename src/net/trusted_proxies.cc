#include "net/trusted_proxies.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.h"
#include "base/limits.h"

namespace net {

namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr int mapped_bits = 96;  // before an IPv4 address in an IPv6 one

std::optional<Address> parse_address(std::string_view text) {
  std::string copy(text);
  Address address{};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  address = {};
  address[10] = address[11] = 0xff;
  if (inet_pton(AF_INET, copy.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

bool has_prefix(const Address& address, const Address& network, int bits) {
  for (std::size_t i = 0; bits > 0; ++i, bits -= 8) {
    auto mask = static_cast<std::uint8_t>(bits >= 8 ? 0xff : 0xff << (8 - bits));
    if (((address[i] ^ network[i]) & mask) != 0) return false;
  }
  return true;
}

// "1.2.3.4:567" and "[::1]:567" are written by some proxies.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[') && text.find(']') != text.npos)
    return text.substr(1, text.find(']') - 1);
  if (std::ranges::count(text, ':') == 1) return text.substr(0, text.find(':'));
  return text;
}

}  // namespace

base::Result<TrustedProxies> TrustedProxies::create(std::string_view text) {
  TrustedProxies proxies;
  while (!base::trimmed(text).empty()) {
    std::size_t end = std::min(text.find(','), text.size());
    std::string_view entry = base::trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    std::size_t slash = entry.find('/');
    std::string_view host = entry.substr(0, slash);
    std::optional<Address> address = parse_address(host);
    bool is_ipv4 = host.find(':') == std::string_view::npos;
    int bits_max = is_ipv4 ? 32 : 128;
    int bits = bits_max;
    if (slash != std::string_view::npos) {
      std::string_view number = entry.substr(slash + 1);
      auto read = std::from_chars(number.data(), number.data() + number.size(), bits);
      if (read.ec != std::errc() || read.ptr != number.data() + number.size()) bits = -1;
    }
    if (!address || bits < 0 || bits > bits_max)
      return base::invalid(fmt::format("'{}' is neither an address nor a network", entry));
    if (proxies.networks_.size() == base::limits::trusted_proxies_max)
      return base::invalid(
          fmt::format("there are more than {} entries", base::limits::trusted_proxies_max));
    proxies.networks_.push_back({*address, is_ipv4 ? mapped_bits + bits : bits});
  }
  return proxies;
}

bool TrustedProxies::trusts(std::string_view text) const {
  std::optional<Address> address = parse_address(text);
  return address && std::ranges::any_of(networks_, [&](const Network& network) {
           return has_prefix(*address, network.address, network.bits);
         });
}

std::string TrustedProxies::client_of(const Request& request) const {
  std::string client = request.client_ip;
  if (networks_.empty() || !trusts(client)) return client;
  // Several lines are one list, in their order (RFC 9110, 5.3); the last entry is the nearest.
  for (std::size_t i = request.headers.size(); i-- > 0;) {
    if (request.headers[i].name != "x-forwarded-for") continue;
    std::string_view list = request.headers[i].value;
    while (!list.empty()) {
      std::size_t comma = list.rfind(',');
      std::string_view entry = comma == list.npos ? list : list.substr(comma + 1);
      list = comma == list.npos ? std::string_view() : list.substr(0, comma);
      std::string_view address = without_port(base::trimmed(entry));
      if (!parse_address(address)) return client;
      client = address;
      if (!trusts(client)) return client;
    }
  }
  return client;
}

}  // namespace net
