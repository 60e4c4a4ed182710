#include "nodes/catalog.h"

#include <array>
#include <vector>

namespace nodes {

extern const NodeType approval;
extern const NodeType branch;
extern const NodeType delay;
extern const NodeType http;
extern const NodeType noop;
extern const NodeType python;
extern const NodeType shell;
extern const NodeType sql;
extern const NodeType subflow;
extern const NodeType transform;

std::span<const NodeType* const> node_types() {
  static constexpr auto types = std::to_array<const NodeType*>(
      {&noop, &python, &shell, &http, &sql, &transform, &branch, &delay, &approval, &subflow});
  return types;
}

model::NodeCatalog catalog() {
  static const std::vector<model::NodeTypeInfo> infos = [] {
    std::vector<model::NodeTypeInfo> list;
    for (const NodeType* type : node_types()) list.push_back(type->info);
    return list;
  }();
  return infos;
}

const NodeType* find(std::string_view type) {
  for (const NodeType* each : node_types())
    if (each->info.type == type) return each;
  return nullptr;
}

}  // namespace nodes
