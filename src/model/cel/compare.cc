#include "model/cel/compare.h"

#include "model/cel/budget.h"

namespace model::cel {

namespace {

bool is_number(Type type) {
  return type == Type::integer || type == Type::uinteger || type == Type::real;
}

std::partial_ordering order_integers(std::int64_t left, std::uint64_t right) {
  if (left < 0) return std::partial_ordering::less;
  return static_cast<std::uint64_t>(left) <=> right;
}

// As the conformance cases have it: outside of the integer's range the double decides, inside the
// integer is rounded to a double.
std::partial_ordering order_with_real(const Value& integer, double real) {
  if (integer.is(Type::uinteger)) {
    if (real < 0) return std::partial_ordering::greater;
    return static_cast<double>(integer.as_uinteger()) <=> real;
  }
  return static_cast<double>(integer.as_integer()) <=> real;
}

std::partial_ordering reversed(std::partial_ordering order) {
  return 0 <=> order;
}

std::partial_ordering order_numbers(const Value& left, const Value& right) {
  if (left.is(Type::real)) {
    if (right.is(Type::real)) return left.as_real() <=> right.as_real();
    return reversed(order_with_real(right, left.as_real()));
  }
  if (right.is(Type::real)) return order_with_real(left, right.as_real());
  if (left.is(Type::integer)) {
    if (right.is(Type::integer)) return left.as_integer() <=> right.as_integer();
    return order_integers(left.as_integer(), right.as_uinteger());
  }
  if (right.is(Type::uinteger)) return left.as_uinteger() <=> right.as_uinteger();
  return reversed(order_integers(right.as_integer(), left.as_uinteger()));
}

base::Result<bool> equal_lists(const Value& left, const Value& right, Budget& budget) {
  if (left.size() != right.size()) return false;
  Cursor a(left), b(right);
  while (a.next() && b.next())
    if (!TRY(equal(a.value(), b.value(), budget))) return false;
  return true;
}

base::Result<bool> equal_maps(const Value& left, const Value& right, Budget& budget) {
  if (left.size() != right.size()) return false;
  for (Cursor at(left); at.next();) {
    TRY(budget.use_scan(right.size()));
    std::optional<Value> other = right.find(TRY(at.key().read(budget)));
    if (!other || !TRY(equal(at.value(), *other, budget))) return false;
  }
  return true;
}

}  // namespace

bool same_scalar(const Value& left, const Value& right) {
  Type type = left.type();
  if (is_number(type) && is_number(right.type())) return order_numbers(left, right) == 0;
  if (type != right.type()) return false;
  if (type == Type::null) return true;
  if (type == Type::type) return left.as_type() == right.as_type();
  std::optional<std::partial_ordering> ordered = order(left, right);
  return ordered && *ordered == 0;
}

base::Result<bool> equal(const Value& left, const Value& right, Budget& budget) {
  TRY(budget.use_steps(1));
  Value a = TRY(left.read(budget));
  Value b = TRY(right.read(budget));
  if (a.is(Type::list) && b.is(Type::list)) return equal_lists(a, b, budget);
  if (a.is(Type::map) && b.is(Type::map)) return equal_maps(a, b, budget);
  if (a.is(Type::string)) TRY(budget.use_text(a.as_string().size()));
  if (a.is(Type::bytes)) TRY(budget.use_text(a.as_bytes().size()));
  return same_scalar(a, b);
}

std::optional<std::partial_ordering> order(const Value& left, const Value& right) {
  Type type = left.type();
  if (is_number(type) && is_number(right.type())) return order_numbers(left, right);
  if (type != right.type()) return std::nullopt;
  switch (type) {
    case Type::boolean:
      return left.as_boolean() <=> right.as_boolean();
    case Type::string:  // the order of UTF-8 is that of code points
      return left.as_string() <=> right.as_string();
    case Type::bytes:
      return left.as_bytes() <=> right.as_bytes();
    case Type::timestamp:
      return left.as_timestamp() <=> right.as_timestamp();
    case Type::duration:
      return left.as_duration() <=> right.as_duration();
    default:
      return std::nullopt;
  }
}

}  // namespace model::cel
