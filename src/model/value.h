// A JSON value on its way between tasks: in line, or by reference when it is large.
#pragma once

#include <cstdint>
#include <string>

namespace model {

/// Either `json` holds the text, or `object` names it in object storage by SHA-256.
struct Value {
  std::string json = "null";
  std::string object = {};
  std::int64_t bytes = 4;

  static Value inline_json(std::string text) {
    auto size = static_cast<std::int64_t>(text.size());
    return {std::move(text), {}, size};
  }
  static Value reference(std::string sha256, std::int64_t size) {
    return {{}, std::move(sha256), size};
  }
  bool is_reference() const { return !object.empty(); }
  bool operator==(const Value&) const = default;
};

/// Why a task or a run ended badly. `kind` is what retry_on matches: exit_code, timeout, node_lost,
/// exception:<Class>, invalid_result, start_error.
struct Failure {
  std::string kind;
  std::string message;
  bool operator==(const Failure&) const = default;
};

}  // namespace model
