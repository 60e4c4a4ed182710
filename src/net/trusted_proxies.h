// Whose X-Forwarded-For is believed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/server.h"

namespace net {

class TrustedProxies {
 public:
  /// Addresses and networks, "10.0.0.0/8, ::1", separated by commas; none in an empty text.
  /// `invalid` names the entry that is neither.
  static base::Result<TrustedProxies> create(std::string_view text);

  /// The address that the request comes from: the last one in X-Forwarded-For that is not a trusted
  /// proxy's, if the peer is one; else the peer's. What is no address ends the search before it.
  std::string client_of(const Request& request) const;

 private:
  struct Network {
    std::array<std::uint8_t, 16> address;  // IPv4 in its mapped form
    int bits;
  };
  bool trusts(std::string_view address) const;

  std::vector<Network> networks_;
};

}  // namespace net
