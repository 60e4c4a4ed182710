// Searching text in linear time.
#pragma once

#include <string_view>

namespace model::cel {

/// Where `wanted` begins at or after byte `begin`, or npos. The time is linear in the text,
/// whatever is searched for; std::string_view::find is not.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t begin = 0);
/// Where the last `wanted` begins at or before byte `begin`, or npos.
std::size_t find_last_text(std::string_view text, std::string_view wanted, std::size_t begin);

}  // namespace model::cel
