#include "net/outbound_policy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <sstream>

#include "base/limits.h"
#include "net/http_url.h"

namespace net {

namespace {

struct Range4 {
  std::uint32_t address;
  int bits;
};

constexpr std::uint32_t ip4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// https://www.iana.org/assignments/iana-ipv4-special-registry
constexpr auto special4 = std::to_array<Range4>({
    {ip4(0, 0, 0, 0), 8},         // this network
    {ip4(10, 0, 0, 0), 8},        // private
    {ip4(100, 64, 0, 0), 10},     // shared by carriers
    {ip4(127, 0, 0, 0), 8},       // loopback
    {ip4(168, 63, 129, 16), 32},  // Azure's platform
    {ip4(169, 254, 0, 0), 16},    // link-local: cloud metadata
    {ip4(172, 16, 0, 0), 12},     // private
    {ip4(192, 0, 0, 0), 24},      // protocol assignments
    {ip4(192, 0, 2, 0), 24},      // documentation
    {ip4(192, 88, 99, 0), 24},    // 6to4 relays
    {ip4(192, 168, 0, 0), 16},    // private
    {ip4(198, 18, 0, 0), 15},     // benchmarks
    {ip4(198, 51, 100, 0), 24},   // documentation
    {ip4(203, 0, 113, 0), 24},    // documentation
    {ip4(224, 0, 0, 0), 4},       // multicast
    {ip4(240, 0, 0, 0), 4},       // reserved, broadcast
});

bool is_public4(std::uint32_t address) {
  return std::none_of(special4.begin(), special4.end(), [&](const Range4& range) {
    return (address ^ range.address) >> (32 - range.bits) == 0;
  });
}

struct Range6 {
  std::array<std::uint8_t, 16> address;
  std::size_t bits;
};

bool is_in(const std::uint8_t* address, const Range6& range) {
  std::size_t bytes = range.bits / 8;
  if (std::memcmp(address, range.address.data(), bytes) != 0) return false;
  std::size_t rest = range.bits % 8;
  return rest == 0 || (address[bytes] ^ range.address[bytes]) >> (8 - rest) == 0;
}

// https://www.iana.org/assignments/iana-ipv6-special-registry; what is outside of 2000::/3 is not
// global unicast at all.
constexpr Range6 global6 = {{0x20}, 3};
constexpr auto special6 = std::to_array<Range6>({
    {{0x20, 0x01}, 23},              // protocol assignments: Teredo, benchmarks, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4, holds any IPv4 address
    {{0x3f, 0xff}, 20},              // documentation
});
// An IPv4 address in its last four bytes.
constexpr Range6 mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Range6 translated = {{0x00, 0x64, 0xff, 0x9b}, 96};

bool is_public6(const std::uint8_t* address) {
  if (is_in(address, mapped) || is_in(address, translated))
    return is_public4(ip4(address[12], address[13], address[14], address[15]));
  if (!is_in(address, global6)) return false;
  return std::none_of(special6.begin(), special6.end(),
                      [&](const Range6& range) { return is_in(address, range); });
}

}  // namespace

bool is_public(const sockaddr& address) {
  if (address.sa_family == AF_INET)
    return is_public4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr));
  if (address.sa_family == AF_INET6)
    return is_public6(reinterpret_cast<const sockaddr_in6&>(address).sin6_addr.s6_addr);
  return false;
}

std::string address_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  if (address.sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text,
              sizeof text);
  return text;
}

base::Result<OutboundPolicy> OutboundPolicy::create(std::string_view allowed) {
  OutboundPolicy policy;
  std::istringstream list{std::string(allowed)};
  for (std::string entry; std::getline(list, entry, ',');) {
    std::size_t colon = entry.rfind(':');
    std::string host = entry.substr(0, colon);
    int port = 0;
    const char* end = entry.data() + entry.size();
    bool has_port = colon != entry.npos &&
                    std::from_chars(entry.data() + colon + 1, end, port).ptr == end && port > 0 &&
                    port <= 65535;
    // Read as the host of a URL, so that both are written alike.
    auto url = parse_http_url("http://" + host + ":1/");
    if (!has_port || !url || url->port != 1 || entry.find_first_of("/?#@ ") != entry.npos)
      return base::invalid(
          fmt::format("'{}' is not a host and a port, as in localhost:8080 or [::1]:443", entry));
    policy.allowed_.emplace(url->host, static_cast<std::uint16_t>(port));
    if (policy.allowed_.size() > base::limits::http_allow_max)
      return base::invalid(
          fmt::format("'{}' is one more than {} entries", entry, base::limits::http_allow_max));
  }
  return policy;
}

bool OutboundPolicy::permits(const std::string& host, std::uint16_t port,
                             const sockaddr& address) const {
  return is_public(address) || allowed_.contains({host, port}) ||
         allowed_.contains({address_text(address), port});
}

}  // namespace net
