// Arithmetic, equality and order. Integers are exact: an overflow is an error.
#include <array>

#include "model/cel/compare.h"
#include "model/cel/functions.h"

namespace model::cel {

namespace {

base::Error overflow() {
  return base::invalid("the result does not fit 64 bits");
}

template <class Number>
using Checked = bool (*)(Number, Number, Number*);  // true on overflow

template <Checked<std::int64_t> operation>
base::Result<Value> integers(Arguments arguments, Budget&) {
  std::int64_t result;
  if (operation(arguments[0].as_integer(), arguments[1].as_integer(), &result)) return overflow();
  return Value::integer(result);
}

template <Checked<std::uint64_t> operation>
base::Result<Value> uintegers(Arguments arguments, Budget&) {
  std::uint64_t result;
  if (operation(arguments[0].as_uinteger(), arguments[1].as_uinteger(), &result)) return overflow();
  return Value::uinteger(result);
}

template <double (*operation)(double, double)>
base::Result<Value> reals(Arguments arguments, Budget&) {
  return Value::real(operation(arguments[0].as_real(), arguments[1].as_real()));
}

template <class Number>
bool add(Number a, Number b, Number* result) {
  return __builtin_add_overflow(a, b, result);
}
template <class Number>
bool subtract(Number a, Number b, Number* result) {
  return __builtin_sub_overflow(a, b, result);
}
template <class Number>
bool multiply(Number a, Number b, Number* result) {
  return __builtin_mul_overflow(a, b, result);
}
double add_reals(double a, double b) {
  return a + b;
}
double subtract_reals(double a, double b) {
  return a - b;
}
double multiply_reals(double a, double b) {
  return a * b;
}
__attribute__((no_sanitize("float-divide-by-zero"))) double divide_reals(double a, double b) {
  return a / b;
}

base::Result<Value> divide_integers(Arguments arguments, Budget&) {
  std::int64_t a = arguments[0].as_integer(), b = arguments[1].as_integer();
  if (b == 0) return base::invalid("division by zero");
  if (a == INT64_MIN && b == -1) return overflow();
  return Value::integer(a / b);
}

base::Result<Value> divide_uintegers(Arguments arguments, Budget&) {
  if (arguments[1].as_uinteger() == 0) return base::invalid("division by zero");
  return Value::uinteger(arguments[0].as_uinteger() / arguments[1].as_uinteger());
}

base::Result<Value> remainder_integers(Arguments arguments, Budget&) {
  std::int64_t a = arguments[0].as_integer(), b = arguments[1].as_integer();
  if (b == 0) return base::invalid("remainder of a division by zero");
  if (b == -1) return Value::integer(0);  // also of the least integer, where `%` would overflow
  return Value::integer(a % b);
}

base::Result<Value> remainder_uintegers(Arguments arguments, Budget&) {
  if (arguments[1].as_uinteger() == 0) return base::invalid("remainder of a division by zero");
  return Value::uinteger(arguments[0].as_uinteger() % arguments[1].as_uinteger());
}

base::Result<Value> negate_integer(Arguments arguments, Budget&) {
  std::int64_t result;
  if (__builtin_sub_overflow(std::int64_t{0}, arguments[0].as_integer(), &result))
    return overflow();
  return Value::integer(result);
}

base::Result<Value> negate_real(Arguments arguments, Budget&) {
  return Value::real(-arguments[0].as_real());
}

base::Result<Value> logical_not(Arguments arguments, Budget&) {
  return Value::boolean(!arguments[0].as_boolean());
}

base::Result<Value> join_text(const std::string& a, const std::string& b,
                              Value (*make)(std::string), Budget& budget) {
  TRY(budget.use_bytes(a.size() + b.size()));
  return make(a + b);
}

base::Result<Value> concatenate_strings(Arguments arguments, Budget& budget) {
  return join_text(arguments[0].as_string(), arguments[1].as_string(), Value::string, budget);
}

base::Result<Value> concatenate_bytes(Arguments arguments, Budget& budget) {
  return join_text(arguments[0].as_bytes(), arguments[1].as_bytes(), Value::bytes, budget);
}

base::Result<Value> concatenate_lists(Arguments arguments, Budget& budget) {
  std::size_t size = arguments[0].size() + arguments[1].size();
  TRY(budget.use_bytes(size * sizeof(Value)));
  TRY(budget.use_scan(size));
  std::vector<Value> elements;
  elements.reserve(size);
  for (const Value& list : arguments)
    for (Cursor at(list); at.next();) elements.push_back(at.value());
  return Value::list(std::move(elements));
}

base::Result<Value> are_equal(Arguments arguments, Budget& budget) {
  return Value::boolean(TRY(equal(arguments[0], arguments[1], budget)));
}

base::Result<Value> are_different(Arguments arguments, Budget& budget) {
  return Value::boolean(!TRY(equal(arguments[0], arguments[1], budget)));
}

using Ordering = std::partial_ordering;

template <bool (*holds)(Ordering)>
base::Result<Value> ordered(Arguments arguments, Budget&) {
  return Value::boolean(holds(*order(arguments[0], arguments[1])));
}

template <bool (*holds)(Ordering)>
constexpr std::array<Overload, 14> comparisons(std::string_view symbol) {
  constexpr Type integer = Type::integer, uinteger = Type::uinteger, real = Type::real;
  auto overload = [&](Type left, Type right) {
    return Overload{CallForm::infix, symbol, {left, right}, Type::boolean, ordered<holds>};
  };
  return {overload(Type::boolean, Type::boolean),
          overload(integer, integer),
          overload(integer, uinteger),
          overload(integer, real),
          overload(uinteger, integer),
          overload(uinteger, uinteger),
          overload(uinteger, real),
          overload(real, integer),
          overload(real, uinteger),
          overload(real, real),
          overload(Type::string, Type::string),
          overload(Type::bytes, Type::bytes),
          overload(Type::timestamp, Type::timestamp),
          overload(Type::duration, Type::duration)};
}

constexpr auto infix = CallForm::infix;
constexpr auto prefix = CallForm::prefix;
constexpr Parameters two_integers{Type::integer, Type::integer};
constexpr Parameters two_uintegers{Type::uinteger, Type::uinteger};
constexpr Parameters two_reals{Type::real, Type::real};

constexpr std::array<Overload, 22> arithmetic = {{
    {infix, "+", two_integers, Type::integer, integers<add>},
    {infix, "+", two_uintegers, Type::uinteger, uintegers<add>},
    {infix, "+", two_reals, Type::real, reals<add_reals>},
    {infix, "+", {Type::string, Type::string}, Type::string, concatenate_strings},
    {infix, "+", {Type::bytes, Type::bytes}, Type::bytes, concatenate_bytes},
    {infix, "+", {Type::list, Type::list}, Type::list, concatenate_lists},
    {infix, "-", two_integers, Type::integer, integers<subtract>},
    {infix, "-", two_uintegers, Type::uinteger, uintegers<subtract>},
    {infix, "-", two_reals, Type::real, reals<subtract_reals>},
    {infix, "*", two_integers, Type::integer, integers<multiply>},
    {infix, "*", two_uintegers, Type::uinteger, uintegers<multiply>},
    {infix, "*", two_reals, Type::real, reals<multiply_reals>},
    {infix, "/", two_integers, Type::integer, divide_integers},
    {infix, "/", two_uintegers, Type::uinteger, divide_uintegers},
    {infix, "/", two_reals, Type::real, reals<divide_reals>},
    {infix, "%", two_integers, Type::integer, remainder_integers},
    {infix, "%", two_uintegers, Type::uinteger, remainder_uintegers},
    {prefix, "-", {Type::integer}, Type::integer, negate_integer},
    {prefix, "-", {Type::real}, Type::real, negate_real},
    {prefix, "!", {Type::boolean}, Type::boolean, logical_not},
    {infix, "==", {Type::dyn, Type::dyn}, Type::boolean, are_equal},
    {infix, "!=", {Type::dyn, Type::dyn}, Type::boolean, are_different},
}};

}  // namespace

Overloads operator_overloads() {
  static const std::vector<Overload> all = [] {
    std::vector<Overload> list(arithmetic.begin(), arithmetic.end());
    auto append = [&](const auto& table) { list.insert(list.end(), table.begin(), table.end()); };
    append(comparisons<std::is_lt>("<"));
    append(comparisons<std::is_lteq>("<="));
    append(comparisons<std::is_gt>(">"));
    append(comparisons<std::is_gteq>(">="));
    return list;
  }();
  return all;
}

}  // namespace model::cel
