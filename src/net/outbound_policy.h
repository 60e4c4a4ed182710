// Which addresses Dagy may call for those who write flows: public ones, and what the operator
// allows. It is asked for every connection, with the address that is about to be connected to, so a
// name, a redirect or a second answer of the DNS changes nothing.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace net {

class OutboundPolicy {
 public:
  /// Public addresses only.
  OutboundPolicy() = default;
  /// `allowed`: "host:port" entries separated by commas; an IPv6 address stands in brackets.
  /// `invalid` names the entry that is none.
  static base::Result<OutboundPolicy> create(std::string_view allowed);

  /// Whether a connection for `host` and `port` of a URL may go to `address`.
  bool permits(const std::string& host, std::uint16_t port, const sockaddr& address) const;

 private:
  std::set<std::pair<std::string, std::uint16_t>> allowed_;
};

/// Whether an address is one of the public internet: none of IANA's special-purpose registries
/// (loopback, private, link-local, shared, documentation, multicast, transition, …), nor one under
/// which a cloud serves what is meant for its machine alone.
bool is_public(const sockaddr& address);

/// "192.0.2.1", "2001:db8::1".
std::string address_text(const sockaddr& address);

}  // namespace net
