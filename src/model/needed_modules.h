// The Python modules that a flow needs of its artifact.
#pragma once

#include <string>
#include <vector>

#include "model/flow_spec.h"

namespace model {

struct NeededModule {
  std::string pointer;  // RFC 6901, within the spec: where it is named
  std::string name;     // "package.module"
};

/// Of the tasks and hooks of a spec that has passed its checks.
std::vector<NeededModule> needed_modules(const FlowSpec& spec, NodeCatalog catalog);

}  // namespace model
