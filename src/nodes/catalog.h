// The list of node types. A new one is a file of its own and one line in catalog.cc.
#pragma once

#include "nodes/node.h"

namespace nodes {

/// Every node type that is built, in the order they are shown.
std::span<const NodeType* const> node_types();
/// The same as the model sees it.
model::NodeCatalog catalog();
const NodeType* find(std::string_view type);

}  // namespace nodes
