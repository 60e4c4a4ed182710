#include "model/cel/text.h"

#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "model/cel/escape.h"

namespace model::cel {

namespace {

// Whole numbers that doubles no longer tell apart: 1.8446744073709552e+19 is 18446744073709552000.
std::string pad_with_zeros(std::string_view scientific) {
  std::size_t e = scientific.find('e');
  std::size_t sign = scientific.starts_with('-') ? 1 : 0;
  std::string digits(scientific.substr(0, e));
  std::erase(digits, '.');
  std::size_t exponent = 0;
  std::from_chars(scientific.data() + e + 2, scientific.data() + scientific.size(), exponent);
  digits.resize(sign + exponent + 1, '0');
  return digits;
}

}  // namespace

std::string to_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  double size = std::fabs(value);
  bool plain = size == 0 || (size >= 1e-6 && size < 0x1p53);
  char buffer[64];
  auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  std::string_view text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr);
  return size >= 0x1p53 && size < 1e21 ? pad_with_zeros(text) : std::string(text);
}

std::string show(const Value& value) {
  constexpr std::size_t shown_max = 60;
  switch (value.type()) {
    case Type::boolean:
      return value.as_boolean() ? "true" : "false";
    case Type::integer:
      return std::to_string(value.as_integer());
    case Type::uinteger:
      return std::to_string(value.as_uinteger()) + 'u';
    case Type::real:
      return to_text(value.as_real());
    case Type::string: {
      std::string_view text = base::utf8_prefix(value.as_string(), shown_max);
      return quote(text) + (text.size() < value.as_string().size() ? "…" : "");
    }
    default:
      return std::string(name_of(value.type()));
  }
}

}  // namespace model::cel
