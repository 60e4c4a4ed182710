// Lists and maps: size, index, `in`.
#include <fmt/format.h>

#include <cmath>

#include "model/cel/code_points.h"
#include "model/cel/compare.h"
#include "model/cel/functions.h"
#include "model/cel/text.h"

namespace model::cel {

namespace {

Value integer_of(std::size_t size) {
  return Value::integer(static_cast<std::int64_t>(size));
}

base::Result<Value> size_of_string(Arguments arguments, Budget&) {
  return integer_of(code_points(arguments[0].as_string()));
}

base::Result<Value> size_of_bytes(Arguments arguments, Budget&) {
  return integer_of(arguments[0].as_bytes().size());
}

base::Result<Value> size_of_container(Arguments arguments, Budget&) {
  return integer_of(arguments[0].size());
}

// The whole number that an index is; nothing if it is negative or has a fraction.
std::optional<std::uint64_t> whole(const Value& index) {
  if (index.is(Type::uinteger)) return index.as_uinteger();
  if (index.is(Type::integer)) {
    if (index.as_integer() < 0) return std::nullopt;
    return static_cast<std::uint64_t>(index.as_integer());
  }
  double real = index.as_real();
  if (!(real >= 0) || real != std::floor(real) || real >= 0x1p63) return std::nullopt;
  return static_cast<std::uint64_t>(real);
}

base::Result<Value> element_of_list(Arguments arguments, Budget& budget) {
  const Value& list = arguments[0];
  std::optional<std::uint64_t> index = whole(arguments[1]);
  if (!index || *index >= list.size())
    return base::invalid(
        fmt::format("no element {} in a list of {}", show(arguments[1]), list.size()));
  if (list.view() != nullptr) TRY(budget.use_scan(*index));
  return list.element(*index);
}

base::Result<std::optional<Value>> look_up(const Value& map, const Value& key, Budget& budget) {
  TRY(budget.use_scan(map.size()));
  return map.find(key);
}

base::Result<Value> value_of_map(Arguments arguments, Budget& budget) {
  std::optional<Value> found = TRY(look_up(arguments[0], arguments[1], budget));
  if (!found) return base::invalid(fmt::format("no key {} in the map", show(arguments[1])));
  return *found;
}

base::Result<Value> is_in_list(Arguments arguments, Budget& budget) {
  for (Cursor at(arguments[1]); at.next();)
    if (TRY(equal(arguments[0], at.value(), budget))) return Value::boolean(true);
  return Value::boolean(false);
}

base::Result<Value> is_in_map(Arguments arguments, Budget& budget) {
  return Value::boolean(TRY(look_up(arguments[1], arguments[0], budget)).has_value());
}

constexpr Overload overloads[] = {
    {CallForm::function, "size", {Type::string}, Type::integer, size_of_string},
    {CallForm::function, "size", {Type::bytes}, Type::integer, size_of_bytes},
    {CallForm::function, "size", {Type::list}, Type::integer, size_of_container},
    {CallForm::function, "size", {Type::map}, Type::integer, size_of_container},
    {CallForm::method, "size", {Type::string}, Type::integer, size_of_string},
    {CallForm::method, "size", {Type::bytes}, Type::integer, size_of_bytes},
    {CallForm::method, "size", {Type::list}, Type::integer, size_of_container},
    {CallForm::method, "size", {Type::map}, Type::integer, size_of_container},
    {CallForm::index, "[]", {Type::list, Type::integer}, Type::dyn, element_of_list},
    {CallForm::index, "[]", {Type::list, Type::uinteger}, Type::dyn, element_of_list},
    {CallForm::index, "[]", {Type::list, Type::real}, Type::dyn, element_of_list},
    {CallForm::index, "[]", {Type::map, Type::dyn}, Type::dyn, value_of_map},
    {CallForm::infix, "in", {Type::dyn, Type::list}, Type::boolean, is_in_list},
    {CallForm::infix, "in", {Type::dyn, Type::map}, Type::boolean, is_in_map},
};

}  // namespace

Overloads container_overloads() {
  return overloads;
}

}  // namespace model::cel
