#include "model/cel/code_points.h"

#include <algorithm>

namespace model::cel {

namespace {
bool begins_code_point(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}
}  // namespace

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_code_point));
}

std::size_t front_bytes(std::string_view text) {
  std::size_t bytes = 1;
  while (bytes < text.size() && !begins_code_point(text[bytes])) ++bytes;
  return bytes;
}

char32_t front(std::string_view text) {
  std::size_t bytes = front_bytes(text);
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (bytes == 1) return byte(0);
  char32_t c = byte(0) & (0x7f >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) c = c << 6 | (byte(i) & 0x3f);
  return c;
}

std::optional<std::size_t> byte_offset(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  for (; index > 0 && at < text.size(); --index) at += front_bytes(text.substr(at));
  if (index > 0) return std::nullopt;
  return at;
}

}  // namespace model::cel
