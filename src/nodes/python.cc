// python: runs `main` of the given code. Inputs are its keyword arguments, its return value is the
// output; standard output and error are log lines.
#include <fmt/format.h>

#include <array>

#include "base/json.h"
#include "base/utf8.h"
#include "exec/python_program.h"
#include "nodes/node.h"

namespace nodes {

namespace {

enum class Start { fork, worker, spawn };
std::span<const base::EnumName> enum_names(Start) {
  static constexpr std::array<base::EnumName, 3> names{
      {{int(Start::fork), "fork"}, {int(Start::worker), "worker"}, {int(Start::spawn), "spawn"}}};
  return names;
}

struct PythonConfig {
  std::string code;
  Start start = Start::fork;
  static const base::Fields& fields() {
    using S = PythonConfig;
    static const base::Fields fields(
        "PythonConfig",
        {base::field<&S::code>("code", "Python with `def main(…)`").required().length(1, 1 << 20),
         base::field<&S::start>("start",
                                "fork: a child of an interpreter that has loaded the code; worker: "
                                "that interpreter itself, which keeps what tasks leave in it; "
                                "spawn: a fresh one")});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  PythonConfig parsed;
  PythonConfig::fields().read(config, &parsed, path, errors);
}

exec::WarmStart warm_start(Start start) {
  switch (start) {
    case Start::fork:
      return exec::WarmStart::fork;
    case Start::worker:
      return exec::WarmStart::worker;
    case Start::spawn:
      break;
  }
  return exec::WarmStart::none;
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<PythonConfig>(document->root()));
  Prepared prepared;
  exec::ProcessSpec& process = prepared.process;
  process.argv = {"python3", "-I", "-u", "-c", std::string(exec::python_program()), "spawn"};
  process.environment = base_environment(context);
  process.working_directory = context.working_directory;
  process.stdin_data = fmt::format("{}\n{}{}", config.code.size(), config.code, context.inputs);
  process.result_channel = true;
  process.warm = warm_start(config.start);
  process.warm_code = std::move(config.code);
  return prepared;
}

Outcome no_result(int exit_code) {
  if (exit_code != 0) return Outcome::fail("exit_code", fmt::format("exit code {}", exit_code));
  return Outcome::fail("invalid_result", "the process ended without a result");
}

Outcome result(const exec::ProcessEnd& end, std::optional<std::string_view>) {
  if (end.result.empty()) return no_result(end.exit_code);
  auto document = base::JsonDocument::parse(end.result);
  if (!document)
    return Outcome::fail("invalid_result", "the return value: " + document.error().message);
  base::JsonView root = (*document)->root();
  if (auto error = root.find("error")) {
    auto kind = error->find("kind");
    auto message = error->find("message");
    if (!kind || !kind->is_string() || !message || !message->is_string())
      return no_result(end.exit_code);
    return Outcome::fail(kind->string(), message->string());
  }
  auto value = root.find("result");
  if (!value || end.exit_code != 0) return no_result(end.exit_code);
  return Outcome::success(std::string(value->raw()));
}

constexpr std::string_view verbatim[] = {"code"};

}  // namespace

extern const NodeType python;
const NodeType python{
    {"python", "Runs `main` of the given Python code",
     /*needs_slot=*/true, PythonConfig::fields, check, model::NodeKind::attempt, verbatim},
    prepare,
    result};

}  // namespace nodes
