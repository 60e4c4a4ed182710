#include "model/cel/escape.h"

#include <fmt/format.h>

#include <cctype>

#include "base/utf8.h"

namespace model::cel {

namespace {

struct Simple {
  char name;
  char stands_for;
};
constexpr Simple simple_escapes[] = {{'a', '\a'}, {'b', '\b'}, {'f', '\f'},  {'n', '\n'},
                                     {'r', '\r'}, {'t', '\t'}, {'v', '\v'},  {'\\', '\\'},
                                     {'?', '?'},  {'"', '"'},  {'\'', '\''}, {'`', '`'}};

struct Numeric {
  std::size_t digits;
  int base;
};

// The number's form after \x, \u, \U or at the first octal digit.
Numeric numeric_form(char name) {
  if (name == 'x' || name == 'X') return {2, 16};
  if (name == 'u') return {4, 16};
  if (name == 'U') return {8, 16};
  if (name >= '0' && name <= '3') return {3, 8};
  return {0, 0};
}

int digit_value(char c, int base) {
  int value = -1;
  if (c >= '0' && c <= '9') value = c - '0';
  if (c >= 'a' && c <= 'f') value = c - 'a' + 10;
  if (c >= 'A' && c <= 'F') value = c - 'A' + 10;
  return value < base ? value : -1;
}

base::Result<char32_t> read_number(std::string_view digits, Numeric form) {
  char32_t value = 0;
  for (std::size_t i = 0; i < form.digits; ++i) {
    int digit = i < digits.size() ? digit_value(digits[i], form.base) : -1;
    if (digit < 0)
      return base::invalid(fmt::format("this escape has {} {} digits", form.digits,
                                       form.base == 8 ? "octal" : "hexadecimal"));
    value = value * static_cast<char32_t>(form.base) + static_cast<char32_t>(digit);
  }
  return value;
}

}  // namespace

base::Result<> unescape(std::string_view& text, LiteralKind kind, std::string& out) {
  if (text.empty()) return base::invalid("an escape needs a character");
  char name = text.front();
  for (const Simple& simple : simple_escapes)
    if (simple.name == name) {
      out += simple.stands_for;
      text.remove_prefix(1);
      return {};
    }
  Numeric form = numeric_form(name);
  if (form.digits == 0) return base::invalid(R"(no such escape; write \\ for a backslash)");
  if (form.base == 16) text.remove_prefix(1);
  char32_t value = TRY(read_number(text, form));
  text.remove_prefix(form.digits);
  if (kind == LiteralKind::bytes) {
    if (form.digits > 3) return base::invalid(R"(bytes have no \u and \U escapes)");
    out += static_cast<char>(value);
    return {};
  }
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
    return base::invalid("this escape is no Unicode character");
  base::append_utf8(out, value);
  return {};
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    char escaped = '\0';
    for (const Simple& simple : simple_escapes)
      if (simple.stands_for == c && c != '?' && c != '\'' && c != '`') escaped = simple.name;
    if (escaped != '\0') out += '\\';
    out += escaped != '\0' ? escaped : c;
  }
  return out + '"';
}

}  // namespace model::cel
