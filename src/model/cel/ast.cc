#include "model/cel/ast.h"

#include <algorithm>

namespace model::cel {

namespace {

// The height of the highest child.
struct ChildHeight {
  static std::size_t of(const ExprPtr& child) { return child == nullptr ? 0 : child->height; }
  static std::size_t of(const std::vector<ExprPtr>& children) {
    std::size_t height = 0;
    for (const ExprPtr& child : children) height = std::max(height, of(child));
    return height;
  }

  std::size_t operator()(const Constant&) const { return 0; }
  std::size_t operator()(const Name&) const { return 0; }
  std::size_t operator()(const Member& node) const { return of(node.operand); }
  std::size_t operator()(const Call& node) const { return of(node.arguments); }
  std::size_t operator()(const Match& node) const { return of(node.text); }
  std::size_t operator()(const Logical& node) const { return of(node.operands); }
  std::size_t operator()(const ListLiteral& node) const { return of(node.elements); }
  std::size_t operator()(const Conditional& node) const {
    return std::max({of(node.condition), of(node.yes), of(node.no)});
  }
  std::size_t operator()(const MapLiteral& node) const {
    std::size_t height = 0;
    for (const auto& [key, value] : node.entries) height = std::max({height, of(key), of(value)});
    return height;
  }
  std::size_t operator()(const Comprehension& node) const {
    return std::max({of(node.range), of(node.condition), of(node.result)});
  }
  std::size_t operator()(const Bind& node) const { return std::max(of(node.value), of(node.body)); }
};

}  // namespace

ExprPtr make_expr(Expr::Node node, std::size_t offset) {
  std::size_t height = 1 + std::visit(ChildHeight{}, node);
  return ExprPtr(new Expr{std::move(node), offset, height});
}

}  // namespace model::cel
