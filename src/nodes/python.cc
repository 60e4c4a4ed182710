// python: runs `main` of the given code in a fresh interpreter. Inputs are its keyword arguments,
// its return value is the output; standard output and error are log lines.
#include <fmt/format.h>

#include "base/json.h"
#include "base/utf8.h"
#include "nodes/node.h"

namespace nodes {

namespace {

// Runs in the interpreter. It answers on file descriptor 3: {"result": …} or {"error": {…}}.
constexpr std::string_view runner = R"py(
import json, linecache, os, sys, traceback, types

def answer(document):
    with os.fdopen(3, "w", encoding="utf-8") as channel:
        channel.write(document)

def fail(kind, message, code):
    answer(json.dumps({"error": {"kind": kind, "message": message[:4000]}}))
    sys.exit(code)

class Context:
    run_id = os.environ["DAGY_RUN_ID"]
    task_id = os.environ["DAGY_TASK_ID"]
    attempt = int(os.environ["DAGY_ATTEMPT"])
    idempotency_key = os.environ["DAGY_IDEMPOTENCY_KEY"]

dagy = types.ModuleType("dagy")
dagy.context = Context
sys.modules["dagy"] = dagy

# Standard input: the length of the code, a line end, the code, the inputs.
code = sys.stdin.buffer.read(int(sys.stdin.buffer.readline())).decode("utf-8")
inputs = json.loads(sys.stdin.buffer.read())
path = "task.py"
sys.argv = [path]
linecache.cache[path] = (len(code), None, code.splitlines(True), path)
task = types.ModuleType("__task__")
task.__file__ = path
sys.modules["__task__"] = task
try:
    exec(compile(code, path, "exec"), task.__dict__)
    main = getattr(task, "main", None)
    if not callable(main):
        raise TypeError("the code defines no function main")
    result = main(**inputs)
except Exception as error:
    kind = type(error).__name__
    lines = traceback.format_exception(type(error), error, error.__traceback__.tb_next)
    sys.stderr.write("".join(lines))
    fail("exception:" + kind, kind + ": " + str(error), 1)
try:
    document = json.dumps({"result": result}, ensure_ascii=False, allow_nan=False)
    document.encode("utf-8")
except (TypeError, ValueError, RecursionError) as error:
    fail("invalid_result", "the return value is not JSON: " + str(error), 1)
answer(document)
)py";

struct PythonConfig {
  std::string code;
  static const base::Fields& fields() {
    using S = PythonConfig;
    static const base::Fields fields(
        "PythonConfig",
        {base::field<&S::code>("code", "Python with `def main(…)`").required().length(1, 1 << 20)});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  PythonConfig parsed;
  PythonConfig::fields().read(config, &parsed, path, errors);
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<PythonConfig>(document->root()));
  Prepared prepared;
  exec::ProcessSpec& process = prepared.process;
  process.argv = {"python3", "-I", "-u", "-c", std::string(runner)};
  process.environment = base_environment(context);
  process.working_directory = context.working_directory;
  process.stdin_data = fmt::format("{}\n{}{}", config.code.size(), config.code, context.inputs);
  process.result_channel = true;
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

}  // namespace

extern const NodeType python;
const NodeType python{{"python", "Runs `main` of the given Python code in a fresh interpreter",
                       /*needs_slot=*/true, PythonConfig::fields, check},
                      prepare,
                      result};

}  // namespace nodes
