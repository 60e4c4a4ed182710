#include "nodes/catalog.h"

#include <array>
#include <vector>

namespace nodes {

extern const NodeType noop;
extern const NodeType python;
extern const NodeType shell;
extern const NodeType transform;

std::span<const NodeType* const> node_types() {
  static constexpr std::array<const NodeType*, 4> types{&noop, &python, &shell, &transform};
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
