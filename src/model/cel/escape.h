// The escapes of string and bytes literals. Source: CEL language definition, "String and Bytes
// Values".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace model::cel {

enum class LiteralKind { string, bytes };

/// Appends what the escape at the front of `text`, after its backslash, stands for, and takes it
/// off the text. In a string numbers are code points, in bytes they are bytes.
base::Result<> unescape(std::string_view& text, LiteralKind kind, std::string& out);

/// `text` as a string literal: in double quotes, with escapes for control characters.
std::string quote(std::string_view text);

}  // namespace model::cel
