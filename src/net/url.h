// Percent-encoding of URLs (RFC 3986) and of query pairs (the WHATWG form encoding).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace net {

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

/// One path segment, decoded; '+' stays '+'. `malformed`: a bad escape, NUL or invalid UTF-8.
base::Result<std::string> decode_segment(std::string_view segment);

/// "a=1&b=x+y" in order, '+' being a space; a pair without '=' has the value "", empty pairs are
/// skipped. `malformed` as above.
base::Result<QueryPairs> parse_query(std::string_view query);

/// Everything but the unreserved characters (letters, digits, "-._~") as %XX, so that the result
/// stands for itself in a path segment and in a query alike.
std::string percent_encode(std::string_view text);

}  // namespace net
