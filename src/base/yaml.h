// YAML as another way to write JSON: what is read becomes JSON text, what is JSON is printed as
// YAML. Scalars have the types of the core schema of YAML 1.2 (its chapter 10.3), so that `no` is a
// text and 007 is seven; what JSON has not (infinities, tags, several documents) is refused.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace base {

/// One document as JSON text; numbers keep every digit. Anchors are copied where they are named,
/// within the limit on the whole. `malformed` begins with "line 3, column 5: ".
Result<std::string> yaml_to_json(std::string_view text);

/// In block style, ending with a line end. Reading it again gives the same JSON.
std::string json_to_yaml(JsonView value);

}  // namespace base
