// noop: does nothing and succeeds with null. For joins, plans and measuring the engine.
#include "nodes/node.h"

namespace nodes {

namespace {

struct NoopConfig {
  static const base::Fields& fields() {
    static const base::Fields fields("NoopConfig", {});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  NoopConfig ignored;
  NoopConfig::fields().read(config, &ignored, path, errors);
}

}  // namespace

extern const NodeType noop;
const NodeType noop{{"noop", "Does nothing and succeeds with null", /*needs_slot=*/false,
                     NoopConfig::fields, check},
                    nullptr,
                    nullptr};

}  // namespace nodes
