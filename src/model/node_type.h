// What the model must know of a node type to validate a flow. The list itself is nodes/catalog.cc.
#pragma once

#include <span>
#include <string_view>

#include "base/fields.h"

namespace model {

struct NodeTypeInfo {
  std::string_view type;
  std::string_view meaning;
  /// Runs as a local process and so waits for one of the machine's slots.
  bool needs_slot = false;
  /// Describes `config`.
  const base::Fields& (*config)() = nullptr;
  /// Reads `config` and reports every broken rule.
  void (*check)(base::JsonView config, const base::Path&, base::FieldErrors&) = nullptr;
};

using NodeCatalog = std::span<const NodeTypeInfo>;

inline const NodeTypeInfo* find_node_type(NodeCatalog catalog, std::string_view type) {
  for (const NodeTypeInfo& info : catalog)
    if (info.type == type) return &info;
  return nullptr;
}

}  // namespace model
