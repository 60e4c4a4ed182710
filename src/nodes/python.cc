// python: calls `main` of the given code, or a function of a module in the flow's artifact. Inputs
// are its keyword arguments, its return value is the output; standard output and error are log
// lines.
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

bool is_dotted_name(std::string_view text) {
  bool begins = true;
  for (char c : text) {
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    bool is_digit = c >= '0' && c <= '9';
    if (begins ? !is_letter : !is_letter && !is_digit && c != '.') return false;
    begins = c == '.';
  }
  return !begins;
}

bool is_entrypoint(std::string_view text) {
  std::size_t colon = text.find(':');
  return text.size() <= 255 && colon != text.npos && is_dotted_name(text.substr(0, colon)) &&
         is_dotted_name(text.substr(colon + 1));
}

constexpr base::TextRule entrypoint_rule{
    "must be module:function, dotted names of ASCII letters, digits and '_', at most 255 bytes",
    R"(^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$)", is_entrypoint};

struct PythonConfig {
  std::optional<std::string> code;
  std::optional<std::string> entrypoint;
  Start start = Start::fork;
  static void check(const void* object, const base::Path& path, base::FieldErrors& errors) {
    const auto& config = *static_cast<const PythonConfig*>(object);
    if (config.code.has_value() == config.entrypoint.has_value())
      errors.add(path, "needs exactly one of code and entrypoint");
  }
  static const base::Fields& fields() {
    using S = PythonConfig;
    static const base::Fields fields(
        "PythonConfig",
        {base::field<&S::code>("code", "Python with `def main(…)`").length(1, 1 << 20),
         base::field<&S::entrypoint>("entrypoint", "`module:function` in the flow's artifact")
             .rule(entrypoint_rule),
         base::field<&S::start>("start",
                                "fork: a child of an interpreter that has loaded the code; worker: "
                                "that interpreter itself, which keeps what tasks leave in it; "
                                "spawn: a fresh one")},
        check);
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

std::optional<std::string> module(base::JsonView config) {
  auto parsed = base::read_struct<PythonConfig>(config);
  if (!parsed || !parsed->entrypoint) return std::nullopt;
  return parsed->entrypoint->substr(0, parsed->entrypoint->find(':'));
}

// What python_program() loads and calls.
struct Callee {
  const char* kind;
  std::string text;
  std::string function;
};

Callee callee_of(PythonConfig config, const NodeContext& context) {
  if (config.code) return {"code", std::move(*config.code), "main"};
  std::size_t colon = config.entrypoint->find(':');
  return {"module", context.artifact_directory + '\n' + config.entrypoint->substr(0, colon),
          config.entrypoint->substr(colon + 1)};
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<PythonConfig>(document->root()));
  Prepared prepared;
  exec::ProcessSpec& process = prepared.process;
  process.warm = warm_start(config.start);
  if (config.entrypoint) process.artifact_directory = context.artifact_directory;
  Callee callee = callee_of(std::move(config), context);
  process.argv = {"python3",        "-I",        "-u",   "-c", std::string(exec::python_program()),
                  context.sdk_path, callee.kind, "spawn"};
  process.environment = base_environment(context);
  process.working_directory = context.working_directory;
  process.stdin_data =
      fmt::format("{} {}\n{}{}", callee.text.size(), callee.function, callee.text, context.inputs);
  process.result_channel = true;
  process.warm_code = std::move(callee.text);
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

constexpr std::string_view verbatim[] = {"code", "entrypoint"};

}  // namespace

extern const NodeType python;
const NodeType python{
    {"python", "Calls a Python function: `main` of the given code, or one of the flow's artifact",
     /*needs_slot=*/true, PythonConfig::fields, check, model::NodeKind::attempt, verbatim,
     /*expressions=*/nullptr, module},
    prepare,
    result};

}  // namespace nodes
