#include "net/url.h"

#include "base/utf8.h"

namespace net {

namespace {

enum class Plus { literal, space };

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// The byte that `text`, which starts with '%', stands for, or -1.
int escaped_byte(std::string_view text) {
  if (text.size() < 3) return -1;
  int high = hex_value(text[1]);
  int low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

base::Result<std::string> decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      int byte = escaped_byte(text.substr(i));
      if (byte < 0) return base::malformed("bad percent escape in the URL");
      c = static_cast<char>(byte);
      i += 2;
    } else if (c == '+' && plus == Plus::space) {
      c = ' ';
    }
    if (c == '\0') return base::malformed("NUL in the URL");
    out += c;
  }
  if (!base::is_utf8(out)) return base::malformed("the URL is not UTF-8");
  return out;
}

}  // namespace

base::Result<std::string> decode_segment(std::string_view segment) {
  return decode(segment, Plus::literal);
}

base::Result<QueryPairs> parse_query(std::string_view query) {
  QueryPairs pairs;
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    std::string_view name = pair.substr(0, pair.find('='));
    std::string_view value = pair.substr(std::min(pair.size(), name.size() + 1));
    std::string decoded_name = TRY(decode(name, Plus::space));
    pairs.emplace_back(std::move(decoded_name), TRY(decode(value, Plus::space)));
  }
  return pairs;
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (is_unreserved(c)) {
      out += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace net
