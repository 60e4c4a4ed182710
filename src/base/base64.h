// Base64 (RFC 4648, the standard alphabet).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

/// With padding.
std::string encode_base64(std::string_view octets);
/// With or without padding; nothing if it is another text.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace base
