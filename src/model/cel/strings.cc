// Tests on strings of the standard library.
#include "model/cel/functions.h"
#include "model/cel/regex.h"
#include "model/cel/search.h"

namespace model::cel {

namespace {

base::Result<Value> contains(Arguments arguments, Budget&) {
  std::size_t at = find_text(arguments[0].as_string(), arguments[1].as_string());
  return Value::boolean(at != std::string::npos);
}

base::Result<Value> starts_with(Arguments arguments, Budget&) {
  return Value::boolean(arguments[0].as_string().starts_with(arguments[1].as_string()));
}

base::Result<Value> ends_with(Arguments arguments, Budget&) {
  return Value::boolean(arguments[0].as_string().ends_with(arguments[1].as_string()));
}

// With a pattern that is computed; one that is written down is compiled once, by the checker.
base::Result<Value> matches(Arguments arguments, Budget& budget) {
  constexpr std::size_t compile_steps = 1000;
  const std::string& pattern = arguments[1].as_string();
  TRY(budget.use_steps(compile_steps + 10 * pattern.size()));
  auto regex = TRY(Regex::compile(pattern));
  return Value::boolean(TRY(regex->matches(arguments[0].as_string(), budget)));
}

constexpr Parameters two_strings{Type::string, Type::string};

constexpr Overload overloads[] = {
    {CallForm::method, "contains", two_strings, Type::boolean, contains},
    {CallForm::method, "startsWith", two_strings, Type::boolean, starts_with},
    {CallForm::method, "endsWith", two_strings, Type::boolean, ends_with},
    {CallForm::method, "matches", two_strings, Type::boolean, matches},
    {CallForm::function, "matches", two_strings, Type::boolean, matches},
};

}  // namespace

Overloads string_overloads() {
  return overloads;
}

}  // namespace model::cel
