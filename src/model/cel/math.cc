// The math extension: https://github.com/google/cel-go/tree/master/ext#math.
#include <fmt/format.h>

#include <cmath>
#include <functional>

#include "model/cel/compare.h"
#include "model/cel/functions.h"

namespace model::cel {

namespace {

enum class Extreme { least, greatest };

template <Extreme extreme>
base::Result<Value> extreme_of(const Value& best, const Value& next) {
  std::optional<std::partial_ordering> ordered = order(next, best);
  bool numbers = next.is(Type::integer) || next.is(Type::uinteger) || next.is(Type::real);
  if (!numbers || !ordered)
    return base::invalid(
        fmt::format("math.least and math.greatest are not for {}", name_of(next.type())));
  bool better = extreme == Extreme::least ? *ordered < 0 : *ordered > 0;
  return better ? next : best;
}

template <Extreme extreme>
base::Result<Value> extreme_argument(Arguments arguments, Budget&) {
  Value best = arguments[0];
  for (const Value& next : arguments) best = TRY(extreme_of<extreme>(best, next));
  return best;
}

template <Extreme extreme>
base::Result<Value> extreme_element(Arguments arguments, Budget& budget) {
  std::optional<Value> best;
  for (Cursor at(arguments[0]); at.next();) {
    TRY(budget.use_steps(1));
    Value next = TRY(at.value().read(budget));
    best = TRY(extreme_of<extreme>(best.value_or(next), next));
  }
  if (!best) return base::invalid("an empty list has no least or greatest element");
  return *best;
}

template <double (*operation)(double)>
base::Result<Value> of_real(Arguments arguments, Budget&) {
  return Value::real(operation(arguments[0].as_real()));
}

double sign(double value) {
  return value > 0 ? 1 : value < 0 ? -1 : value;
}

template <bool (*holds)(double)>
base::Result<Value> test_real(Arguments arguments, Budget&) {
  return Value::boolean(holds(arguments[0].as_real()));
}

bool is_nan(double value) {
  return std::isnan(value);
}
bool is_infinite(double value) {
  return std::isinf(value);
}
bool is_finite(double value) {
  return std::isfinite(value);
}

base::Result<Value> absolute_integer(Arguments arguments, Budget&) {
  if (arguments[0].as_integer() == INT64_MIN)
    return base::invalid("the result does not fit 64 bits");
  return Value::integer(std::abs(arguments[0].as_integer()));
}

base::Result<Value> same(Arguments arguments, Budget&) {
  return arguments[0];
}

base::Result<Value> sign_of_integer(Arguments arguments, Budget&) {
  std::int64_t value = arguments[0].as_integer();
  return Value::integer((value > 0) - (value < 0));
}

base::Result<Value> sign_of_uinteger(Arguments arguments, Budget&) {
  return Value::uinteger(arguments[0].as_uinteger() > 0);
}

base::Result<Value> root(Arguments arguments, Budget&) {
  const Value& value = arguments[0];
  if (value.is(Type::real)) return Value::real(std::sqrt(value.as_real()));
  if (value.is(Type::integer))
    return Value::real(std::sqrt(static_cast<double>(value.as_integer())));
  return Value::real(std::sqrt(static_cast<double>(value.as_uinteger())));
}

// Bits of an int or uint, and a value of the same type from bits.
std::uint64_t bits_of(const Value& value) {
  if (value.is(Type::uinteger)) return value.as_uinteger();
  return static_cast<std::uint64_t>(value.as_integer());
}
Value from_bits(std::uint64_t bits, const Value& like) {
  if (like.is(Type::uinteger)) return Value::uinteger(bits);
  return Value::integer(static_cast<std::int64_t>(bits));
}

template <class Operation>
base::Result<Value> of_bits(Arguments arguments, Budget&) {
  return from_bits(Operation{}(bits_of(arguments[0]), bits_of(arguments[1])), arguments[0]);
}

base::Result<Value> invert_bits(Arguments arguments, Budget&) {
  return from_bits(~bits_of(arguments[0]), arguments[0]);
}

template <bool left>
base::Result<Value> shift(Arguments arguments, Budget&) {
  std::int64_t by = arguments[1].as_integer();
  if (by < 0) return base::invalid("a shift by a negative number");
  std::uint64_t bits = bits_of(arguments[0]);
  if (by > 63) return from_bits(0, arguments[0]);
  return from_bits(left ? bits << by : bits >> by, arguments[0]);
}

constexpr auto function = CallForm::function;
constexpr Type integer = Type::integer;
constexpr Type uinteger = Type::uinteger;
constexpr Type real = Type::real;
constexpr Parameters numbers = Parameters::any_number_of(Type::dyn);

constexpr Overload overloads[] = {
    {function, "math.greatest", {Type::list}, Type::dyn, extreme_element<Extreme::greatest>},
    {function, "math.greatest", numbers, Type::dyn, extreme_argument<Extreme::greatest>},
    {function, "math.least", {Type::list}, Type::dyn, extreme_element<Extreme::least>},
    {function, "math.least", numbers, Type::dyn, extreme_argument<Extreme::least>},
    {function, "math.ceil", {real}, real, of_real<std::ceil>},
    {function, "math.floor", {real}, real, of_real<std::floor>},
    {function, "math.round", {real}, real, of_real<std::round>},
    {function, "math.trunc", {real}, real, of_real<std::trunc>},
    {function, "math.abs", {real}, real, of_real<std::fabs>},
    {function, "math.abs", {integer}, integer, absolute_integer},
    {function, "math.abs", {uinteger}, uinteger, same},
    {function, "math.sign", {real}, real, of_real<sign>},
    {function, "math.sign", {integer}, integer, sign_of_integer},
    {function, "math.sign", {uinteger}, uinteger, sign_of_uinteger},
    {function, "math.sqrt", {real}, real, root},
    {function, "math.sqrt", {integer}, real, root},
    {function, "math.sqrt", {uinteger}, real, root},
    {function, "math.isNaN", {real}, Type::boolean, test_real<is_nan>},
    {function, "math.isInf", {real}, Type::boolean, test_real<is_infinite>},
    {function, "math.isFinite", {real}, Type::boolean, test_real<is_finite>},
    {function, "math.bitAnd", {integer, integer}, integer, of_bits<std::bit_and<>>},
    {function, "math.bitAnd", {uinteger, uinteger}, uinteger, of_bits<std::bit_and<>>},
    {function, "math.bitOr", {integer, integer}, integer, of_bits<std::bit_or<>>},
    {function, "math.bitOr", {uinteger, uinteger}, uinteger, of_bits<std::bit_or<>>},
    {function, "math.bitXor", {integer, integer}, integer, of_bits<std::bit_xor<>>},
    {function, "math.bitXor", {uinteger, uinteger}, uinteger, of_bits<std::bit_xor<>>},
    {function, "math.bitNot", {integer}, integer, invert_bits},
    {function, "math.bitNot", {uinteger}, uinteger, invert_bits},
    {function, "math.bitShiftLeft", {integer, integer}, integer, shift<true>},
    {function, "math.bitShiftLeft", {uinteger, integer}, uinteger, shift<true>},
    {function, "math.bitShiftRight", {integer, integer}, integer, shift<false>},
    {function, "math.bitShiftRight", {uinteger, integer}, uinteger, shift<false>},
};

}  // namespace

Overloads math_overloads() {
  return overloads;
}

}  // namespace model::cel
