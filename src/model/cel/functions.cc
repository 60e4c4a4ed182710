#include "model/cel/functions.h"

#include <fmt/format.h>

namespace model::cel {

bool Parameters::accept(std::span<const Type> arguments) const {
  if (variadic ? arguments.empty() : arguments.size() != count) return false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    Type wanted = types[variadic ? 0 : i];
    if (wanted != Type::dyn && arguments[i] != Type::dyn && wanted != arguments[i]) return false;
  }
  return true;
}

std::vector<const Overload*> find_overloads(CallForm form, std::string_view name) {
  std::vector<const Overload*> found;
  for (Overloads table :
       {operator_overloads(), container_overloads(), conversion_overloads(), string_overloads(),
        string_extension_overloads(), math_overloads(), time_overloads()})
    for (const Overload& overload : table)
      if (overload.form == form && overload.name == name) found.push_back(&overload);
  return found;
}

std::string show_call(CallForm form, std::string_view name, std::span<const Type> arguments) {
  auto list = [](std::span<const Type> types) {
    std::string text;
    for (Type type : types) text += fmt::format("{}{}", text.empty() ? "" : ", ", name_of(type));
    return text;
  };
  auto type = [&](std::size_t i) { return name_of(arguments[i]); };
  switch (form) {
    case CallForm::function:
      return fmt::format("{}({})", name, list(arguments));
    case CallForm::method:
      return fmt::format("{}.{}({})", type(0), name, list(arguments.subspan(1)));
    case CallForm::infix:
      return fmt::format("{} {} {}", type(0), name, type(1));
    case CallForm::prefix:
      return fmt::format("{}{}", name, type(0));
    case CallForm::index:
      return fmt::format("{}[{}]", type(0), type(1));
  }
  return std::string(name);
}

}  // namespace model::cel
