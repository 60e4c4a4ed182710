// branch: chooses among its outgoing edges. Its output is the label of the first condition that is
// true, else `otherwise`; edges with another label are not taken.
#include "nodes/node.h"

namespace nodes {

namespace {

struct Condition {
  std::string label;
  std::string expression;
  static const base::Fields& fields() {
    using S = Condition;
    static const base::Fields fields(
        "BranchCondition",
        {base::field<&S::label>("label", "of the edges it takes").required().length(1, 128),
         base::field<&S::expression>("expression", "CEL -> bool")
             .required()
             .length(1, base::limits::expression_bytes_max)});
    return fields;
  }
};

struct BranchConfig {
  std::vector<Condition> conditions;
  std::optional<std::string> otherwise;
  static const base::Fields& fields() {
    using S = BranchConfig;
    static const base::Fields fields(
        "BranchConfig",
        {base::field<&S::conditions>("conditions", "the first that is true is chosen")
             .required()
             .length(1, 100),
         base::field<&S::otherwise>("otherwise", "the label if none is true").length(1, 128)});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  BranchConfig parsed;
  BranchConfig::fields().read(config, &parsed, path, errors);
}

std::vector<model::ConfigExpression> expressions(base::JsonView config) {
  std::vector<model::ConfigExpression> out;
  BranchConfig parsed;
  base::FieldErrors ignored;
  BranchConfig::fields().read(config, &parsed, base::Path{}, ignored);
  for (std::size_t i = 0; i < parsed.conditions.size(); ++i)
    out.push_back({parsed.conditions[i].label, parsed.conditions[i].expression,
                   "/conditions/" + std::to_string(i) + "/expression"});
  return out;
}

constexpr std::string_view verbatim[] = {"conditions", "otherwise"};

}  // namespace

extern const NodeType branch;
const NodeType branch{{"branch", "Chooses among its outgoing edges by their labels",
                       /*needs_slot=*/false, BranchConfig::fields, check, model::NodeKind::branch,
                       verbatim, expressions}};

}  // namespace nodes
