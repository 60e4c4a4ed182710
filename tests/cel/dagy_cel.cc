// Evaluates expressions for the conformance and differential tests: one JSON object a line in, one
// out. {"expr" or "expr_base64", "variables": {name: <expression>}, "json": {name: <value>},
// "declared": [name]} becomes {"value": {<type>: <text>}} or {"error", "at": "compile" |
// "evaluate"}.
#include <cmath>
#include <iostream>
#include <string>

#include "base/base64.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "model/cel/program.h"
#include "model/cel/text.h"

namespace {

using base::JsonView;
using model::cel::Type;
using model::cel::Value;

// The number's exact text: what JavaScript reads back as the same double.
std::string exact(double value) {
  if (!std::isfinite(value)) return model::cel::to_text(value);
  return (std::signbit(value) && value == 0) ? "-0" : model::cel::to_text(value);
}

class TypedWriter {
 public:
  TypedWriter(std::string& out, model::cel::Budget& budget) : writer_(out), budget_(budget) {}

  base::Result<> write(const Value& lazy) {
    Value value = TRY(lazy.read(budget_));
    writer_.begin_object().key(name_of(value.type()));
    switch (value.type()) {
      case Type::null:
        writer_.null();
        break;
      case Type::boolean:
        writer_.boolean(value.as_boolean());
        break;
      case Type::list:
        TRY(list(value));
        break;
      case Type::map:
        TRY(map(value));
        break;
      default:
        writer_.string(text(value));
    }
    writer_.end_object();
    return {};
  }

 private:
  static std::string text(const Value& value) {
    switch (value.type()) {
      case Type::integer:
        return std::to_string(value.as_integer());
      case Type::uinteger:
        return std::to_string(value.as_uinteger());
      case Type::real:
        return exact(value.as_real());
      case Type::string:
        return value.as_string();
      case Type::bytes:
        return base::encode_base64(value.as_bytes());
      case Type::timestamp:
        return to_text(value.as_timestamp());
      case Type::duration:
        return to_text(value.as_duration());
      default:
        return std::string(name_of(value.as_type()));
    }
  }

  base::Result<> list(const Value& list) {
    writer_.begin_array();
    for (model::cel::Cursor at(list); at.next();) TRY(write(at.value()));
    writer_.end_array();
    return {};
  }

  base::Result<> map(const Value& map) {
    writer_.begin_array();
    for (model::cel::Cursor at(map); at.next();) {
      writer_.begin_array();
      TRY(write(at.key()));
      TRY(write(at.value()));
      writer_.end_array();
    }
    writer_.end_array();
    return {};
  }

  base::JsonWriter writer_;
  model::cel::Budget& budget_;
};

// Sets the variables whose values are expressions themselves.
base::Result<> bind_expressions(JsonView request, model::cel::Bindings& bindings) {
  std::optional<JsonView> variables = request.find("variables");
  if (!variables) return {};
  for (JsonView::Member member : variables->members()) {
    auto program = TRY(model::cel::compile(member.value.string(), {}));
    model::cel::Budget budget;
    bindings.set(member.name.string(), TRY(program->evaluate({}, budget)));
  }
  return {};
}

std::vector<std::string> declared(JsonView request) {
  std::vector<std::string> names;
  for (const char* part : {"variables", "json"})
    if (auto members = request.find(part))
      for (JsonView::Member member : members->members()) names.push_back(member.name.string());
  if (auto list = request.find("declared"))
    for (JsonView name : list->elements()) names.push_back(name.string());
  return names;
}

std::string answer_error(std::string_view at, const base::Error& error) {
  std::string out;
  base::JsonWriter writer(out);
  writer.begin_object().member("error", error.message).member("at", at).end_object();
  return out;
}

// Base64 where the text has characters that no JSON document may have.
std::string expression(JsonView request) {
  if (auto plain = request.find("expr")) return plain->string();
  return base::decode_base64(request.find("expr_base64")->string()).value_or("");
}

std::string answer(const std::string& line) {
  auto parsed = base::JsonDocument::parse(line);
  if (!parsed) return answer_error("request", parsed.error());
  std::shared_ptr<const base::JsonDocument> document = std::move(*parsed);
  JsonView request = document->root();
  model::cel::Bindings bindings;
  if (auto bound = bind_expressions(request, bindings); !bound)
    return answer_error("request", bound.error());
  if (auto json = request.find("json"))
    for (JsonView::Member member : json->members())
      bindings.set(member.name.string(), Value::json(document, member.value));
  auto program = model::cel::compile(expression(request), {.variables = declared(request)});
  if (!program) return answer_error("compile", program.error());
  model::cel::Budget budget;
  auto value = (*program)->evaluate(bindings, budget);
  if (!value) return answer_error("evaluate", value.error());
  std::string out = "{\"value\":";
  if (auto written = TypedWriter(out, budget).write(*value); !written)
    return answer_error("evaluate", written.error());
  return out + "}";
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) std::cout << answer(line) << '\n';
}
