// The functions and operators of the language: a table of overloads for each subject, one file
// each. An implementation gets arguments that have been read and are of its parameters' types, and
// for whose text (not elements) steps are paid. It is pure but for the budget, and its error needs
// no place.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/cel/budget.h"
#include "model/cel/type.h"
#include "model/cel/value.h"

namespace model::cel {

enum class CallForm { function, method, infix, prefix, index };

using Arguments = std::span<const Value>;
using Implementation = base::Result<Value> (*)(Arguments arguments, Budget& budget);

/// Types of parameters, at most four; `dyn` takes any.
struct Parameters {
  std::array<Type, 4> types{};
  std::size_t count = 0;
  bool variadic = false;  // any number from one, all of the first type

  constexpr Parameters(std::initializer_list<Type> list) {
    for (Type type : list) types[count++] = type;
  }
  static constexpr Parameters any_number_of(Type type) {
    Parameters parameters{type};
    parameters.variadic = true;
    return parameters;
  }
  /// `dyn` among the arguments may be any type.
  bool accept(std::span<const Type> arguments) const;
};

struct Overload {
  CallForm form;
  std::string_view name;
  Parameters parameters;
  Type result;
  Implementation call;
};

using Overloads = std::span<const Overload>;
Overloads operator_overloads();
Overloads container_overloads();
Overloads conversion_overloads();
Overloads string_overloads();
Overloads string_extension_overloads();
Overloads math_overloads();
Overloads time_overloads();

/// All overloads of a name, of every number of parameters.
std::vector<const Overload*> find_overloads(CallForm form, std::string_view name);

/// A call as messages show it: "size(int)", "string.contains(int)", "int + string", "-uint".
std::string show_call(CallForm form, std::string_view name, std::span<const Type> arguments);

}  // namespace model::cel
