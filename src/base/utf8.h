// UTF-8 by RFC 3629: shortest form, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace base {

/// Length of the well-formed sequence at the start of `text` (1 to 4), or 0.
std::size_t utf8_sequence(std::string_view text);
bool is_utf8(std::string_view text);
/// At most `bytes_max` bytes of `text`, cut before a sequence, never inside one.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);
/// `code_point` must be a scalar value.
void append_utf8(std::string& out, char32_t code_point);

}  // namespace base
