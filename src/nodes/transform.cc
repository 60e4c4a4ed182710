// transform: a jq program over {"inputs": …, "parameters": …}, in a limited process with an empty
// environment. Exactly one result is the output.
#include <fmt/format.h>

#include "base/json.h"
#include "nodes/node.h"

namespace nodes {

namespace {

constexpr std::size_t memory_bytes_max = 1u << 30;
constexpr std::size_t cpu_seconds_max = 60;

struct TransformConfig {
  std::string program;
  static const base::Fields& fields() {
    using S = TransformConfig;
    static const base::Fields fields(
        "TransformConfig",
        {base::field<&S::program>("program", "jq; its input is {\"inputs\", \"parameters\"}")
             .required()
             .length(1, 64 << 10)});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  TransformConfig parsed;
  TransformConfig::fields().read(config, &parsed, path, errors);
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<TransformConfig>(document->root()));
  Prepared prepared;
  exec::ProcessSpec& process = prepared.process;
  // The space keeps a program that begins with a minus from being read as an option.
  process.argv = {"/usr/bin/jq", "-c", " " + config.program};
  process.working_directory = context.working_directory;
  process.stdin_data =
      fmt::format(R"({{"inputs":{},"parameters":{}}})", context.inputs, context.parameters);
  process.stdout_mode = exec::OutputMode::result;
  process.memory_bytes_max = memory_bytes_max;
  process.cpu_seconds_max = cpu_seconds_max;
  return prepared;
}

Outcome result(const exec::ProcessEnd& end, std::optional<std::string_view>) {
  if (end.exit_code != 0)
    return Outcome::fail("exit_code", fmt::format("jq: exit code {}", end.exit_code));
  std::string_view text = end.result;
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.empty()) return Outcome::fail("invalid_result", "the program gave no result");
  if (text.find('\n') != std::string_view::npos)
    return Outcome::fail("invalid_result", "the program gave more than one result");
  auto document = base::JsonDocument::parse(std::string(text));
  if (!document) return Outcome::fail("invalid_result", document.error().message);
  return Outcome::success(std::string(text));
}

constexpr std::string_view verbatim[] = {"program"};

}  // namespace

extern const NodeType transform;
const NodeType transform{
    {"transform", "A jq program; exactly one result is the output",
     /*needs_slot=*/true, TransformConfig::fields, check, model::NodeKind::attempt, verbatim},
    prepare,
    result};

}  // namespace nodes
