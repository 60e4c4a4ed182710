#include "model/cel/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/utf8.h"
#include "model/cel/text.h"

namespace model::cel {

namespace {

constexpr int precision_default = 6;
constexpr int precision_max = 100;

struct Clause {
  char letter;
  int precision;
};

base::Error wrong_type(char letter, const Value& value) {
  return base::invalid(fmt::format("%{} is not for {}", letter, name_of(value.type())));
}

base::Result<std::string> show_all(const Value& value, Budget& budget);

base::Result<std::string> show_list(const Value& list, Budget& budget) {
  std::string out = "[";
  for (Cursor at(list); at.next();) {
    if (out.size() > 1) out += ", ";
    out += TRY(show_all(at.value(), budget));
  }
  TRY(budget.use_bytes(out.size()));
  return out + "]";
}

// Entries in the order of their keys' texts.
base::Result<std::string> show_map(const Value& map, Budget& budget) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (Cursor at(map); at.next();)
    entries.emplace_back(TRY(show_all(at.key(), budget)), TRY(show_all(at.value(), budget)));
  std::sort(entries.begin(), entries.end());
  std::string out = "{";
  for (const auto& [key, value] : entries) {
    if (out.size() > 1) out += ", ";
    out += fmt::format("{}: {}", key, value);
  }
  TRY(budget.use_bytes(out.size()));
  return out + "}";
}

// %s
base::Result<std::string> show_all(const Value& lazy, Budget& budget) {
  TRY(budget.use_steps(1));
  Value value = TRY(lazy.read(budget));
  switch (value.type()) {
    case Type::null:
      return std::string("null");
    case Type::boolean:
      return std::string(value.as_boolean() ? "true" : "false");
    case Type::integer:
      return std::to_string(value.as_integer());
    case Type::uinteger:
      return std::to_string(value.as_uinteger());
    case Type::real:
      return to_text(value.as_real());
    case Type::string:
      return value.as_string();
    case Type::bytes:
      if (!base::is_utf8(value.as_bytes())) return base::invalid("the bytes are no UTF-8");
      return value.as_bytes();
    case Type::list:
      return show_list(value, budget);
    case Type::map:
      return show_map(value, budget);
    case Type::timestamp:
      return to_text(value.as_timestamp());
    case Type::duration:
      return to_text(value.as_duration());
    default:
      return std::string(name_of(value.as_type()));
  }
}

// %d
base::Result<std::string> show_decimal(const Value& value) {
  if (value.is(Type::integer)) return std::to_string(value.as_integer());
  if (value.is(Type::uinteger)) return std::to_string(value.as_uinteger());
  if (value.is(Type::real)) return to_text(value.as_real());
  return wrong_type('d', value);
}

std::string hexadecimal(std::string_view octets) {
  std::string out;
  for (char c : octets) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// %b, %o, %x and %X; a negative number has a minus sign.
base::Result<std::string> show_digits(char letter, const Value& value, Budget& budget) {
  auto digits = [&](auto number) {
    if (letter == 'b') return fmt::format("{:b}", number);
    if (letter == 'o') return fmt::format("{:o}", number);
    return fmt::format("{:x}", number);
  };
  std::string out;
  if (value.is(Type::integer)) {
    out = digits(value.as_integer());
  } else if (value.is(Type::uinteger)) {
    out = digits(value.as_uinteger());
  } else if (value.is(Type::boolean) && letter == 'b') {
    out.assign(1, value.as_boolean() ? '1' : '0');
  } else if (letter != 'b' && letter != 'o' && (value.is(Type::string) || value.is(Type::bytes))) {
    const std::string& octets = value.is(Type::string) ? value.as_string() : value.as_bytes();
    TRY(budget.use_bytes(octets.size() * 2));
    TRY(budget.use_steps(octets.size()));
    out = hexadecimal(octets);
  } else {
    return wrong_type(letter, value);
  }
  if (letter == 'X')
    for (char& c : out)
      if (c >= 'a' && c <= 'f') c ^= 0x20;
  return out;
}

// %f and %e
base::Result<std::string> show_real(Clause clause, const Value& value) {
  double real = 0;
  if (value.is(Type::real)) {
    real = value.as_real();
  } else if (value.is(Type::integer)) {
    real = static_cast<double>(value.as_integer());
  } else if (value.is(Type::uinteger)) {
    real = static_cast<double>(value.as_uinteger());
  } else {
    return wrong_type(clause.letter, value);
  }
  if (!std::isfinite(real)) return to_text(real);
  if (clause.letter == 'f') return fmt::format("{:.{}f}", real, clause.precision);
  return fmt::format("{:.{}e}", real, clause.precision);
}

// The clause at the front, after its percent sign; takes it off.
base::Result<Clause> read_clause(std::string_view& pattern) {
  Clause clause{'\0', precision_default};
  if (pattern.starts_with('.')) {
    pattern.remove_prefix(1);
    clause.precision = 0;
    while (!pattern.empty() && pattern.front() >= '0' && pattern.front() <= '9') {
      clause.precision =
          std::min(clause.precision * 10 + (pattern.front() - '0'), precision_max + 1);
      pattern.remove_prefix(1);
    }
    if (clause.precision > precision_max)
      return base::invalid(fmt::format("a precision is at most {}", precision_max));
  }
  if (pattern.empty()) return base::invalid("a % at the end of the format");
  clause.letter = pattern.front();
  pattern.remove_prefix(1);
  return clause;
}

base::Result<std::string> show_clause(Clause clause, const Value& value, Budget& budget) {
  switch (clause.letter) {
    case 's':
      return show_all(value, budget);
    case 'd':
      return show_decimal(value);
    case 'b':
    case 'o':
    case 'x':
    case 'X':
      return show_digits(clause.letter, value, budget);
    case 'f':
    case 'e':
      return show_real(clause, value);
    default:
      return base::invalid(fmt::format("no format clause %{}", clause.letter));
  }
}

}  // namespace

base::Result<std::string> format(std::string_view pattern, const Value& arguments, Budget& budget) {
  std::string out;
  Cursor at(arguments);
  while (true) {
    std::size_t percent = std::min(pattern.find('%'), pattern.size());
    TRY(budget.use_bytes(percent));
    out += pattern.substr(0, percent);
    pattern.remove_prefix(percent);
    if (pattern.empty()) return out;
    pattern.remove_prefix(1);
    if (pattern.starts_with('%')) {
      out += '%';
      pattern.remove_prefix(1);
      continue;
    }
    Clause clause = TRY(read_clause(pattern));
    if (!at.next()) return base::invalid("the format has more clauses than the list has elements");
    std::string text = TRY(show_clause(clause, TRY(at.value().read(budget)), budget));
    TRY(budget.use_bytes(text.size()));
    out += text;
  }
}

}  // namespace model::cel
