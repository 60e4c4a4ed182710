#include "model/needed_modules.h"

#include <fmt/format.h>

namespace model {

std::vector<NeededModule> needed_modules(const FlowSpec& spec, NodeCatalog catalog) {
  std::vector<NeededModule> modules;
  auto look_at = [&](std::string_view list, const std::vector<TaskSpec>& tasks) {
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const NodeTypeInfo* type = find_node_type(catalog, tasks[i].type);
      if (type == nullptr || type->module == nullptr) continue;
      auto config = base::JsonDocument::parse(tasks[i].config.text);
      if (!config) continue;
      if (auto module = type->module((*config)->root()))
        modules.push_back({fmt::format("/{}/{}/config/entrypoint", list, i), std::move(*module)});
    }
  };
  look_at("tasks", spec.tasks);
  look_at("on_success", spec.on_success);
  look_at("on_failure", spec.on_failure);
  look_at("on_cancel", spec.on_cancel);
  return modules;
}

}  // namespace model
