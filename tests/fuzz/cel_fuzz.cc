// Fuzzes the expression language: compiling, evaluating and writing down, and templates. Input: the
// variables as a JSON document up to the first line's end, then an expression or a template.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/cel/json_text.h"
#include "model/cel/program.h"
#include "model/cel/template.h"

namespace {

using namespace model::cel;

constexpr std::size_t steps = 20'000;
constexpr std::size_t bytes = 4u << 20;

void require(bool holds) {
  if (!holds) std::abort();
}

const Scope& scope() {
  static const Scope inputs{.variables = {"inputs"}};
  return inputs;
}

void expression(std::string_view source, const Bindings& bindings) {
  auto program = compile(source, scope());
  if (!program) return;
  Budget budget(steps, bytes);
  auto value = (*program)->evaluate(bindings, budget);
  if (!value) return;
  std::string json;
  if (!append_json(json, *value, budget)) return;
  require(static_cast<bool>(base::JsonDocument::parse(json, 2 * base::limits::json_depth_max)));
}

void text_template(std::string_view text, const Bindings& bindings) {
  auto config = base::JsonDocument::parse(std::string(text));
  if (!config) return;
  base::FieldErrors errors;
  auto compiled = Template::compile((*config)->root(), scope(), {}, base::Path{}, errors);
  if (!errors.empty()) return;
  Budget budget(steps, bytes);
  auto rendered = compiled.render(bindings, budget);
  if (!rendered) return;
  if (!compiled.has_expressions()) require(*rendered == (*config)->root().raw());
  require(
      static_cast<bool>(base::JsonDocument::parse(*rendered, 3 * base::limits::json_depth_max)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::size_t line = std::min(input.find('\n'), input.size());
  std::string_view source = input.substr(std::min(line + 1, input.size()));
  Bindings bindings;
  if (auto parsed = base::JsonDocument::parse(std::string(input.substr(0, line))))
    bindings.set("inputs", Value::json(std::move(*parsed)));
  expression(source, bindings);
  text_template(source, bindings);
  return 0;
}
