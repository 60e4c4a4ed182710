// Content coding gzip (RFC 1952).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace net {

/// All members of `bytes`, decompressed. `malformed` when they are damaged or not whole,
/// `too_large` beyond `bytes_max`.
base::Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);

/// `bytes` as one member, at the speed that answers need.
std::string gzip(std::string_view bytes);

/// Whether a client with this Accept-Encoding (RFC 9110, 12.5.3) takes it.
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace net
