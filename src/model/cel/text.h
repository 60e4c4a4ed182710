// Scalars as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/cel/value.h"

namespace model::cel {

/// The shortest decimal that reads back as the same double; without an exponent from 1e-6 to 1e21.
/// "NaN", "Infinity", "-Infinity".
std::string to_text(double value);

/// A short form of a key or index for messages.
std::string show(const Value& value);

std::string encode_base64(std::string_view octets);
/// Standard alphabet, with or without padding; nothing if it is another text.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace model::cel
