#include "cli/flow_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "base/yaml.h"
#include "cli/child_program.h"
#include "cli/files.h"

namespace cli {

namespace limits = base::limits;

namespace {

base::Error in_file(const std::string& path, const base::Error& error) {
  return base::invalid(fmt::format("{}: {}", path, error.message));
}

// Copies a document and puts the text of files where a task's config names them.
class Inclusion {
 public:
  Inclusion(std::filesystem::path folder, std::string& out)
      : folder_(std::move(folder)), writer_(out) {}

  base::Result<> copy_spec(base::JsonView spec) {
    if (!spec.is_object()) return base::invalid("a flow must be an object");
    writer_.begin_object();
    for (base::JsonView::Member member : spec.members()) {
      std::string name = member.name.string();
      writer_.key(name);
      if (name == "tasks" && member.value.is_array()) {
        TRY(copy_tasks(member.value));
      } else {
        writer_.raw(member.value.raw());
      }
    }
    writer_.end_object();
    return {};
  }

 private:
  base::Result<> copy_tasks(base::JsonView tasks) {
    writer_.begin_array();
    for (base::JsonView task : tasks.elements()) {
      if (!task.is_object()) {
        writer_.raw(task.raw());
        continue;
      }
      writer_.begin_object();
      for (base::JsonView::Member member : task.members()) {
        std::string name = member.name.string();
        writer_.key(name);
        if (name == "config") {
          TRY(copy_config(member.value));
        } else {
          writer_.raw(member.value.raw());
        }
      }
      writer_.end_object();
    }
    writer_.end_array();
    return {};
  }

  base::Result<> copy_config(base::JsonView value) {
    if (value.is_array()) {
      writer_.begin_array();
      for (base::JsonView element : value.elements()) TRY(copy_config(element));
      writer_.end_array();
      return {};
    }
    if (!value.is_object()) {
      writer_.raw(value.raw());
      return {};
    }
    std::optional<base::JsonView> file = value.find("file");
    if (file && file->is_string() && value.size() == 1) return include(file->string());
    writer_.begin_object();
    for (base::JsonView::Member member : value.members()) {
      writer_.key(member.name.string());
      TRY(copy_config(member.value));
    }
    writer_.end_object();
    return {};
  }

  base::Result<> include(const std::string& name) {
    std::string text = TRY(read_file((folder_ / name).string(), limits::spec_bytes_max));
    if (!base::is_utf8(text)) return base::invalid(fmt::format("{} is not UTF-8", name));
    writer_.string(text);
    return {};
  }

  const std::filesystem::path folder_;
  base::JsonWriter writer_;
};

base::Result<FlowFile> load_document(const std::string& path, bool is_yaml) {
  std::string text = TRY(read_file(path, limits::spec_bytes_max));
  if (is_yaml) {
    base::Result<std::string> json = base::yaml_to_json(text);
    if (!json) return in_file(path, json.error());
    text = std::move(*json);
  }
  auto document = base::JsonDocument::parse(std::move(text));
  if (!document) return in_file(path, document.error());
  base::JsonView root = (*document)->root();
  FlowFile flow;
  base::JsonWriter writer(flow.registration);
  writer.begin_object();
  std::optional<base::JsonView> spec = root.is_object() ? root.find("flow_spec") : root;
  if (root.is_object() && spec)
    for (base::JsonView::Member member : root.members())
      if (!member.name.string_equals("flow_spec"))
        writer.key(member.name.string()).raw(member.value.raw());
  std::string expanded;
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  base::Result<> copied = Inclusion(folder, expanded).copy_spec(spec.value_or(root));
  if (!copied) return in_file(path, copied.error());
  writer.key("flow_spec").raw(expanded).end_object();
  return flow;
}

// The environment of the build: the SDK comes first in Python's path.
std::vector<std::string> build_environment(const std::string& sdk_path) {
  std::vector<std::string> variables = inherited_variables();
  std::string path = "PYTHONPATH=" + sdk_path;
  std::erase_if(variables, [&](std::string_view each) {
    if (!each.starts_with("PYTHONPATH=")) return false;
    path.append(":").append(each.substr(sizeof "PYTHONPATH"));
    return true;
  });
  variables.push_back(std::move(path));
  return variables;
}

base::Result<FlowFile> build_python(const std::string& path, const std::string& argument,
                                    std::string_view sdk, const std::string& scratch) {
  TRY(read_file(path, limits::spec_bytes_max));  // says why it cannot be read
  if (sdk.empty()) return base::invalid(path + ": this program was built without the Python SDK");
  std::string sdk_path = scratch + "/dagy_sdk.zip", out = scratch + "/build";
  TRY(write_file(sdk_path, sdk));
  std::filesystem::create_directory(out);
  int code = TRY(run_program({"python3", "-m", "dagy.build", argument, "--output", out},
                             build_environment(sdk_path)));
  if (code != 0)
    return base::invalid(
        fmt::format("{}: no flow could be built of it (exit code {})", path, code));
  FlowFile flow = TRY(load_document(out + "/flow.json", /*is_yaml=*/false));
  std::string artifact = out + "/artifact.zip";
  if (std::filesystem::exists(artifact)) flow.artifact_path = artifact;
  return flow;
}

}  // namespace

base::Result<FlowFile> load_flow_file(const std::string& argument, std::string_view sdk,
                                      const std::string& scratch) {
  std::size_t python = argument.rfind(".py:");
  bool names_flow = python != std::string::npos;
  std::string path = names_flow ? argument.substr(0, python + 3) : argument;
  if (path.ends_with(".py")) return build_python(path, argument, sdk, scratch);
  if (path.ends_with(".json")) return load_document(path, /*is_yaml=*/false);
  if (path.ends_with(".yaml") || path.ends_with(".yml"))
    return load_document(path, /*is_yaml=*/true);
  return base::invalid(
      fmt::format("'{}' must be FILE.json, FILE.yaml, FILE.py or FILE.py:FLOW", argument));
}

}  // namespace cli
