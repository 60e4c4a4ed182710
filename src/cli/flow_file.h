// A file that describes a flow: JSON, YAML, or Python that the SDK builds one of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cli {

struct FlowFile {
  std::string registration;                  // the body of POST /flows, but for its artifact_uri
  std::optional<std::string> artifact_path;  // of the code that goes with it
};

/// `argument` is FILE, or FILE:FLOW where a Python file has several flows. A file holds a FlowSpec,
/// or a request with `flow_spec`; an object {"file": "path"} in a task's config stands for the text
/// of that file, relative to the flow file. `sdk` is python_sdk.h's; what is built goes to
/// `scratch`. `invalid` names file, line and column.
base::Result<FlowFile> load_flow_file(const std::string& argument, std::string_view sdk,
                                      const std::string& scratch);

}  // namespace cli
