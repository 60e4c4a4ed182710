// URLs of the HTTP services that Dagy calls (RFC 3986).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace net {

/// An absolute http or https URL without user, password and fragment.
struct HttpUrl {
  std::string text;  // the whole, normalized: dot segments resolved, an IPv4 address in four parts
  std::string scheme;
  std::string host;  // lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;

  bool has_origin_of(const HttpUrl& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
  /// Without its query, which may hold a secret.
  std::string_view without_query() const {
    return std::string_view(text).substr(0, text.find('?'));
  }
};

/// `invalid` tells what is wrong, as a rule: "must …".
base::Result<HttpUrl> parse_http_url(std::string_view text);

/// What `reference` means in a document of `from`.
base::Result<HttpUrl> resolve_url(const HttpUrl& from, std::string_view reference);

}  // namespace net
