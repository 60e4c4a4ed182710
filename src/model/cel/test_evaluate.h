// For tests: an expression's result as text.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "model/cel/json_text.h"
#include "model/cel/program.h"

namespace model::cel {

inline std::shared_ptr<const base::JsonDocument> document(std::string json) {
  auto parsed = base::JsonDocument::parse(std::move(json));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(*parsed);
}

inline Bindings inputs(std::string json) {
  Bindings bindings;
  bindings.set("inputs", Value::json(document(std::move(json))));
  return bindings;
}

/// The result as JSON, or "error: …", with the variables `inputs` and `tasks`.
inline std::string evaluate(std::string_view source, std::string inputs_json = "{}",
                            Budget budget = {}) {
  auto program = compile(source, {.variables = {"inputs", "tasks"}});
  if (!program) return "error: " + program.error().message;
  auto value = (*program)->evaluate(inputs(std::move(inputs_json)), budget);
  if (!value) return "error: " + value.error().message;
  std::string out;
  auto done = append_json(out, *value, budget);
  return done ? out : "error: " + done.error().message;
}

}  // namespace model::cel
