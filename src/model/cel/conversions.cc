// Conversions between types: each function is named after the type that it makes.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "base/base64.h"
#include "base/utf8.h"
#include "model/cel/functions.h"
#include "model/cel/text.h"

namespace model::cel {

namespace {

base::Error out_of_range(std::string_view type) {
  return base::invalid(fmt::format("the value is out of the range of {}", type));
}

base::Error not_a(std::string_view what, const Value& text) {
  return base::invalid(fmt::format("{} is no {}", show(text), what));
}

base::Result<Value> same(Arguments arguments, Budget&) {
  return arguments[0];
}

// A number that is the whole text; one plus sign may lead it.
template <class Number>
std::errc parse(std::string_view text, Number& value) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return end == text.data() + text.size() ? error : std::errc::invalid_argument;
}

base::Result<Value> integer_from_uinteger(Arguments arguments, Budget&) {
  if (arguments[0].as_uinteger() > INT64_MAX) return out_of_range("int");
  return Value::integer(static_cast<std::int64_t>(arguments[0].as_uinteger()));
}

// The conformance cases exclude both ends: doubles there may stand for integers beyond them.
base::Result<Value> integer_from_real(Arguments arguments, Budget&) {
  double real = arguments[0].as_real();
  if (!(real > -0x1p63 && real < 0x1p63)) return out_of_range("int");
  return Value::integer(static_cast<std::int64_t>(real));
}

base::Result<Value> integer_from_string(Arguments arguments, Budget&) {
  std::int64_t value = 0;
  if (parse(arguments[0].as_string(), value) != std::errc()) return not_a("int", arguments[0]);
  return Value::integer(value);
}

base::Result<Value> integer_from_timestamp(Arguments arguments, Budget&) {
  return Value::integer(arguments[0].as_timestamp().seconds);
}

base::Result<Value> uinteger_from_integer(Arguments arguments, Budget&) {
  if (arguments[0].as_integer() < 0) return out_of_range("uint");
  return Value::uinteger(static_cast<std::uint64_t>(arguments[0].as_integer()));
}

base::Result<Value> uinteger_from_real(Arguments arguments, Budget&) {
  double real = arguments[0].as_real();
  if (!(real >= 0 && real < 0x1p64)) return out_of_range("uint");
  return Value::uinteger(static_cast<std::uint64_t>(real));
}

base::Result<Value> uinteger_from_string(Arguments arguments, Budget&) {
  std::uint64_t value = 0;
  if (parse(arguments[0].as_string(), value) != std::errc()) return not_a("uint", arguments[0]);
  return Value::uinteger(value);
}

base::Result<Value> real_from_integer(Arguments arguments, Budget&) {
  return Value::real(static_cast<double>(arguments[0].as_integer()));
}

base::Result<Value> real_from_uinteger(Arguments arguments, Budget&) {
  return Value::real(static_cast<double>(arguments[0].as_uinteger()));
}

base::Result<Value> real_from_string(Arguments arguments, Budget&) {
  const std::string& text = arguments[0].as_string();
  if (text == "NaN") return Value::real(NAN);
  if (text == "Infinity") return Value::real(INFINITY);
  if (text == "-Infinity") return Value::real(-INFINITY);
  double value = 0;
  bool decimal = text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (!decimal || parse(text, value) != std::errc()) return not_a("double", arguments[0]);
  return Value::real(value);
}

base::Result<Value> boolean_from_string(Arguments arguments, Budget&) {
  static constexpr std::array<std::string_view, 10> names = {
      "false", "true", "False", "True", "FALSE", "TRUE", "f", "t", "0", "1"};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (arguments[0].as_string() == names[i]) return Value::boolean(i % 2 == 1);
  return not_a("bool", arguments[0]);
}

base::Result<Value> string_from_boolean(Arguments arguments, Budget&) {
  return Value::string(arguments[0].as_boolean() ? "true" : "false");
}

base::Result<Value> string_from_integer(Arguments arguments, Budget&) {
  return Value::string(std::to_string(arguments[0].as_integer()));
}

base::Result<Value> string_from_uinteger(Arguments arguments, Budget&) {
  return Value::string(std::to_string(arguments[0].as_uinteger()));
}

base::Result<Value> string_from_real(Arguments arguments, Budget&) {
  return Value::string(to_text(arguments[0].as_real()));
}

base::Result<Value> string_from_bytes(Arguments arguments, Budget& budget) {
  const std::string& octets = arguments[0].as_bytes();
  TRY(budget.use_bytes(octets.size()));
  if (!base::is_utf8(octets)) return base::invalid("the bytes are no UTF-8");
  return Value::string(octets);
}

base::Result<Value> string_from_timestamp(Arguments arguments, Budget&) {
  return Value::string(to_text(arguments[0].as_timestamp()));
}

base::Result<Value> string_from_duration(Arguments arguments, Budget&) {
  return Value::string(to_text(arguments[0].as_duration()));
}

base::Result<Value> bytes_from_string(Arguments arguments, Budget& budget) {
  TRY(budget.use_bytes(arguments[0].as_string().size()));
  return Value::bytes(arguments[0].as_string());
}

base::Result<Value> timestamp_from_string(Arguments arguments, Budget&) {
  std::optional<Timestamp> value = parse_timestamp(arguments[0].as_string());
  if (!value) return not_a("timestamp, as 2009-02-13T23:31:30Z", arguments[0]);
  return Value::timestamp(*value);
}

base::Result<Value> timestamp_from_integer(Arguments arguments, Budget&) {
  std::optional<Timestamp> value = timestamp_at(arguments[0].as_integer());
  if (!value) return out_of_range("timestamp");
  return Value::timestamp(*value);
}

base::Result<Value> duration_from_string(Arguments arguments, Budget&) {
  std::optional<Duration> value = parse_duration(arguments[0].as_string());
  if (!value) return not_a("duration in range, as 1h30m or 1.5s", arguments[0]);
  return Value::duration(*value);
}

base::Result<Value> type_of(Arguments arguments, Budget&) {
  return Value::type(arguments[0].type());
}

base::Result<Value> base64_encode(Arguments arguments, Budget& budget) {
  const std::string& octets = arguments[0].as_bytes();
  TRY(budget.use_bytes(octets.size() / 3 * 4 + 4));
  return Value::string(base::encode_base64(octets));
}

base::Result<Value> base64_decode(Arguments arguments, Budget& budget) {
  const std::string& text = arguments[0].as_string();
  TRY(budget.use_bytes(text.size()));
  std::optional<std::string> octets = base::decode_base64(text);
  if (!octets) return not_a("base64", arguments[0]);
  return Value::bytes(std::move(*octets));
}

constexpr auto function = CallForm::function;

constexpr Overload overloads[] = {
    {function, "int", {Type::integer}, Type::integer, same},
    {function, "int", {Type::uinteger}, Type::integer, integer_from_uinteger},
    {function, "int", {Type::real}, Type::integer, integer_from_real},
    {function, "int", {Type::string}, Type::integer, integer_from_string},
    {function, "int", {Type::timestamp}, Type::integer, integer_from_timestamp},
    {function, "uint", {Type::uinteger}, Type::uinteger, same},
    {function, "uint", {Type::integer}, Type::uinteger, uinteger_from_integer},
    {function, "uint", {Type::real}, Type::uinteger, uinteger_from_real},
    {function, "uint", {Type::string}, Type::uinteger, uinteger_from_string},
    {function, "double", {Type::real}, Type::real, same},
    {function, "double", {Type::integer}, Type::real, real_from_integer},
    {function, "double", {Type::uinteger}, Type::real, real_from_uinteger},
    {function, "double", {Type::string}, Type::real, real_from_string},
    {function, "bool", {Type::boolean}, Type::boolean, same},
    {function, "bool", {Type::string}, Type::boolean, boolean_from_string},
    {function, "string", {Type::string}, Type::string, same},
    {function, "string", {Type::boolean}, Type::string, string_from_boolean},
    {function, "string", {Type::integer}, Type::string, string_from_integer},
    {function, "string", {Type::uinteger}, Type::string, string_from_uinteger},
    {function, "string", {Type::real}, Type::string, string_from_real},
    {function, "string", {Type::bytes}, Type::string, string_from_bytes},
    {function, "string", {Type::timestamp}, Type::string, string_from_timestamp},
    {function, "string", {Type::duration}, Type::string, string_from_duration},
    {function, "bytes", {Type::bytes}, Type::bytes, same},
    {function, "bytes", {Type::string}, Type::bytes, bytes_from_string},
    {function, "timestamp", {Type::timestamp}, Type::timestamp, same},
    {function, "timestamp", {Type::string}, Type::timestamp, timestamp_from_string},
    {function, "timestamp", {Type::integer}, Type::timestamp, timestamp_from_integer},
    {function, "duration", {Type::duration}, Type::duration, same},
    {function, "duration", {Type::string}, Type::duration, duration_from_string},
    {function, "type", {Type::dyn}, Type::type, type_of},
    {function, "dyn", {Type::dyn}, Type::dyn, same},
    {function, "base64.encode", {Type::bytes}, Type::string, base64_encode},
    {function, "base64.decode", {Type::string}, Type::bytes, base64_decode},
};

}  // namespace

Overloads conversion_overloads() {
  return overloads;
}

}  // namespace model::cel
