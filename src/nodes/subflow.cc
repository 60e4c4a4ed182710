// subflow: runs another flow of the organization. With `wait` its output is the run's output and it
// fails when the run does; without, its output is the run's id.
#include "nodes/node.h"

namespace nodes {

const base::Fields& SubflowConfig::fields() {
  using S = SubflowConfig;
  using base::field;
  static const base::Fields fields(
      "SubflowConfig",
      {field<&S::flow>("flow", "name of the flow").required().rule(base::name_rule),
       field<&S::flow_version>("flow_version", "the newest when absent").rule(base::name_rule),
       field<&S::parameters>("parameters", "an object; checked when the run starts"),
       field<&S::wait>("wait", "end with the run").defaults_to("true")});
  return fields;
}

namespace {

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  SubflowConfig parsed;
  SubflowConfig::fields().read(config, &parsed, path, errors);
}

}  // namespace

base::Result<SubflowConfig> read_subflow(std::string config) {
  auto document = TRY(base::JsonDocument::parse(std::move(config)));
  return base::read_struct<SubflowConfig>(document->root());
}

extern const NodeType subflow;
const NodeType subflow{{"subflow", "Runs another flow", /*needs_slot=*/false, SubflowConfig::fields,
                        check, model::NodeKind::subflow}};

}  // namespace nodes
