// Letters of ASCII, as protocols compare them: independent of any locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace base {

constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ascii_lower(c);
  return out;
}

constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

/// Without spaces, tabs and line ends at both ends.
constexpr std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  while (!text.empty() && space.find(text.front()) != space.npos) text.remove_prefix(1);
  while (!text.empty() && space.find(text.back()) != space.npos) text.remove_suffix(1);
  return text;
}

}  // namespace base
