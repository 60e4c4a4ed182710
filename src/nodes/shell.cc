// shell: runs a command. Its output is the last line of standard output: as JSON if it is JSON,
// else as text.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "nodes/node.h"

namespace nodes {

namespace {

/// A list of words, or one string for `/bin/sh -c`.
struct Command {
  std::vector<std::string> words;
};

}  // namespace
}  // namespace nodes

template <>
struct base::FieldTypeOf<nodes::Command> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    auto& words = static_cast<nodes::Command*>(to)->words;
    if (from.is_string()) {
      words = {"/bin/sh", "-c", from.string()};
    } else if (from.is_array()) {
      field_type<std::vector<std::string>>().read(from, &words, {{}, {}, 1, 1000}, path, errors);
    } else {
      errors.add(path, "must be a string or a list of strings");
    }
    if (!words.empty() && (words.front().empty() || words.back().empty()))
      errors.add(path, "must not be empty");
  }
  static void write(JsonWriter& to, const void* from) {
    field_type<std::vector<std::string>>().write(to,
                                                 &static_cast<const nodes::Command*>(from)->words);
  }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs&) {
    to.key("oneOf").raw(
        R"([{"type":"string","minLength":1},{"type":"array","items":{"type":"string"},)"
        R"("minItems":1,"maxItems":1000}])");
  }
  static constexpr FieldType type{read, write, schema};
};

namespace nodes {

namespace {

struct ShellConfig {
  Command command;
  std::map<std::string, std::string> env;
  std::optional<std::string> working_directory;
  static const base::Fields& fields();
};

void check_config(const void* object, const base::Path& path, base::FieldErrors& errors) {
  base::Path env = path.member("env");
  for (const auto& [name, value] : static_cast<const ShellConfig*>(object)->env) {
    bool named = !name.empty() && name.find('=') == std::string::npos;
    if (!named) errors.add(env.member(name), "must be the name of an environment variable");
    if (name.starts_with("DAGY_")) errors.add(env.member(name), "DAGY_ names are the server's");
  }
}

const base::Fields& ShellConfig::fields() {
  using S = ShellConfig;
  using base::field;
  static const base::Fields fields(
      "ShellConfig",
      {field<&S::command>("command", "words, or one string for /bin/sh -c").required(),
       field<&S::env>("env", "environment variables, beside DAGY_…").length(0, 1000),
       field<&S::working_directory>("working_directory",
                                    "a directory that exists; the run's own when absent")
           .length(1, 4096)},
      check_config);
  return fields;
}

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  ShellConfig parsed;
  ShellConfig::fields().read(config, &parsed, path, errors);
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<ShellConfig>(document->root()));
  Prepared prepared;
  exec::ProcessSpec& process = prepared.process;
  process.argv = std::move(config.command.words);
  process.environment = base_environment(context);
  for (const auto& [name, value] : config.env) process.environment.push_back(name + "=" + value);
  process.working_directory = config.working_directory.value_or(context.working_directory);
  process.stdin_data = context.inputs;
  return prepared;
}

Outcome result(const exec::ProcessEnd&, std::optional<std::string_view> last_line) {
  if (!last_line)  // better none than a part of it
    return Outcome::fail("invalid_result", fmt::format("the last line of output has over {} bytes",
                                                       base::limits::log_line_bytes_max));
  if (last_line->empty()) return Outcome::success("null");
  auto document = base::JsonDocument::parse(std::string(*last_line));
  if (document) return Outcome::success(std::string((*document)->root().raw()));
  std::string text(*last_line);
  std::replace(text.begin(), text.end(), '\0', '?');  // no U+0000 in any text
  std::string json;
  base::append_json_string(json, text);
  return Outcome::success(std::move(json));
}

}  // namespace

extern const NodeType shell;
const NodeType shell{{"shell", "Runs a command; its output is the last line of standard output",
                      /*needs_slot=*/true, ShellConfig::fields, check},
                     prepare,
                     result};

}  // namespace nodes
