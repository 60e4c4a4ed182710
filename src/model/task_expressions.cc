#include "model/task_expressions.h"

namespace model {

using base::FieldErrors;
using base::Path;

namespace {

class Compiler {
 public:
  Compiler(const Path& path, FieldErrors& errors, cel::Reads& reads)
      : path_(path), errors_(errors), reads_(reads) {}

  cel::ProgramPtr program(const std::optional<std::string>& source, const cel::Scope& scope,
                          const Path& path) {
    return source ? program_at(*source, scope, [&] { return path.pointer(); }) : nullptr;
  }
  template <class Pointer>
  cel::ProgramPtr program_at(const std::string& source, const cel::Scope& scope, Pointer pointer) {
    base::Result<cel::ProgramPtr> compiled = cel::compile(source, scope);
    if (!compiled) {
      errors_.add(pointer(), compiled.error().message);
      return nullptr;
    }
    cel::merge(reads_, (*compiled)->reads());
    return *compiled;
  }
  cel::ProgramPtr member(const std::optional<std::string>& source, const cel::Scope& scope,
                         std::string_view name) {
    return program(source, scope, path_.member(name));
  }

 private:
  const Path& path_;
  FieldErrors& errors_;
  cel::Reads& reads_;
};

cel::Scope scope(bool with_inputs, cel::Type result = cel::Type::dyn) {
  std::vector<std::string> variables = {"parameters", "run", "tasks"};
  if (with_inputs) variables.insert(variables.begin(), "inputs");
  return {std::move(variables), result};
}

}  // namespace

TaskExpressions compile_expressions(const TaskSpec& task, const NodeTypeInfo& type,
                                    base::JsonView config, const Path& path, FieldErrors& errors) {
  TaskExpressions out;
  Compiler compiler(path, errors, out.reads);
  const cel::Scope outer = scope(false), inner = scope(true);
  const cel::Scope condition = scope(true, cel::Type::boolean);
  Path inputs = path.member("inputs");
  for (const auto& [name, source] : task.inputs) {
    Path input = inputs.member(name);
    if (source.expression)
      out.inputs[name] = compiler.program(source.expression, outer, input.member("expression"));
  }
  if (task.map_over) {
    Path list = path.member("map_over");
    out.map_over = compiler.program(task.map_over->expression, outer, list.member("expression"));
  }
  out.when = compiler.member(task.when, condition, "when");
  out.concurrency_key = compiler.member(task.concurrency_key, inner, "concurrency_key");
  out.repeat_until = compiler.member(task.repeat_until, condition, "repeat_until");
  Path cache = path.member("cache");
  if (task.cache) out.cache_key = compiler.program(task.cache->key, inner, cache.member("key"));
  Path config_path = path.member("config");
  if (type.expressions != nullptr)
    for (const ConfigExpression& each : type.expressions(config))
      out.choices.push_back({each.label, compiler.program_at(each.source, condition, [&] {
                               return config_path.pointer() + each.pointer;
                             })});
  out.config = cel::Template::compile(config, inner, type.verbatim, config_path, errors);
  cel::merge(out.reads, out.config.reads());
  return out;
}

cel::ProgramPtr compile_flow_key(const FlowSpec& flow, const Path& path, FieldErrors& errors) {
  cel::Reads ignored;
  return Compiler(path, errors, ignored)
      .member(flow.concurrency_key, {{"parameters", "run"}}, "concurrency_key");
}

}  // namespace model
