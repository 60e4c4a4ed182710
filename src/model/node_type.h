// What the model must know of a node type to validate a flow. The list itself is nodes/catalog.cc.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace model {

enum class NodeKind {
  attempt,   // work that is attempted
  branch,    // chooses among its outgoing edges
  delay,     // waits for a time
  approval,  // waits for a person
  subflow,   // work too, done by a run of another flow
};

/// An expression that stands as such in a `config`, beside the templates in its strings.
struct ConfigExpression {
  std::string label;    // what being true chooses
  std::string source;   // CEL
  std::string pointer;  // RFC 6901, within the config
};

struct NodeTypeInfo {
  std::string_view type;
  std::string_view meaning;
  /// Runs as a local process and so waits for one of the machine's slots.
  bool needs_slot = false;
  /// Describes `config`.
  const base::Fields& (*config)() = nullptr;
  /// Reads `config` and reports every broken rule.
  void (*check)(base::JsonView config, const base::Path&, base::FieldErrors&) = nullptr;
  NodeKind kind = NodeKind::attempt;
  /// Members of `config` whose text is code: `{{ … }}` means nothing in them.
  std::span<const std::string_view> verbatim = {};
  /// Expressions of a config that has passed its check; null where a type has none.
  std::vector<ConfigExpression> (*expressions)(base::JsonView config) = nullptr;

  /// The Python module that `entrypoint` of a config names, which is in the flow's artifact.
  std::optional<std::string> (*module)(base::JsonView config) = nullptr;

  /// Has attempts: may be retried, timed out, repeated and limited.
  bool has_attempts() const { return kind == NodeKind::attempt || kind == NodeKind::subflow; }
};

using NodeCatalog = std::span<const NodeTypeInfo>;

inline const NodeTypeInfo* find_node_type(NodeCatalog catalog, std::string_view type) {
  for (const NodeTypeInfo& info : catalog)
    if (info.type == type) return &info;
  return nullptr;
}

}  // namespace model
