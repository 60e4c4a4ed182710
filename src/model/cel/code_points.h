// Text by code points: sizes and indexes of strings count these, not bytes. Text is valid UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace model::cel {

std::size_t code_points(std::string_view text);
/// Bytes of the code point at the front of a text that is not empty.
std::size_t front_bytes(std::string_view text);
char32_t front(std::string_view text);
/// Where code point number `index` begins; the end of the text for the number of its code points;
/// nothing beyond.
std::optional<std::size_t> byte_offset(std::string_view text, std::size_t index);

}  // namespace model::cel
