#include "model/cel/type.h"

#include <array>

namespace model::cel {

namespace {
// In the order of the enum.
constexpr std::array<std::string_view, 13> names = {"dyn",
                                                    "null_type",
                                                    "bool",
                                                    "int",
                                                    "uint",
                                                    "double",
                                                    "string",
                                                    "bytes",
                                                    "list",
                                                    "map",
                                                    "google.protobuf.Timestamp",
                                                    "google.protobuf.Duration",
                                                    "type"};
}  // namespace

std::string_view name_of(Type type) {
  return names[static_cast<std::size_t>(type)];
}

std::optional<Type> type_from_name(std::string_view name) {
  for (std::size_t i = 1; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Type>(i);
  return std::nullopt;
}

}  // namespace model::cel
