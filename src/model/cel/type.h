// The types of the language. Source: the CEL language definition, section "Values".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace model::cel {

/// `dyn` is a type only before evaluation: any of the others.
enum class Type : std::uint8_t {
  dyn,
  null,
  boolean,
  integer,
  uinteger,
  real,
  string,
  bytes,
  list,
  map,
  timestamp,
  duration,
  type,
};

/// As the language names it: "int", "null_type", "google.protobuf.Timestamp".
std::string_view name_of(Type type);
/// The type that an expression names, as `int` in `type(x) == int`; `dyn` is not one of them.
std::optional<Type> type_from_name(std::string_view name);

}  // namespace model::cel
