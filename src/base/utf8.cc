#include "base/utf8.h"

namespace base {

namespace {
bool is_tail(std::string_view text, std::size_t i) {
  return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0) == 0x80;
}
}  // namespace

std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !is_tail(text, 1)) return 0;
  if (first < 0xe0) return 2;
  if (!is_tail(text, 2)) return 0;
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first < 0xf0) return 3;
  if (!is_tail(text, 3)) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return 4;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    std::size_t n = utf8_sequence(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

void append_utf8(std::string& out, char32_t c) {
  auto tail = [](char32_t bits) { return static_cast<char>(0x80 | (bits & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += tail(c);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += tail(c >> 6);
    out += tail(c);
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += tail(c >> 12);
    out += tail(c >> 6);
    out += tail(c);
  }
}

}  // namespace base
