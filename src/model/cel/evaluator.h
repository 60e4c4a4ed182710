// Walks a checked tree. One evaluation, one thread.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/cel/ast.h"
#include "model/cel/program.h"

namespace model::cel {

class Evaluator {
 public:
  Evaluator(std::string_view source, const Bindings& bindings, Budget& budget)
      : source_(source), bindings_(bindings), budget_(budget) {}

  /// The value; it may be a view of a document. Errors name their place in the source.
  base::Result<Value> evaluate(const Expr& expr);

 private:
  base::Result<Value> visit(const Expr& expr, const Constant& node);
  base::Result<Value> visit(const Expr& expr, const Name& node);
  base::Result<Value> visit(const Expr& expr, const Member& node);
  base::Result<Value> visit(const Expr& expr, const Call& node);
  base::Result<Value> visit(const Expr& expr, const Match& node);
  base::Result<Value> visit(const Expr& expr, const Logical& node);
  base::Result<Value> visit(const Expr& expr, const Conditional& node);
  base::Result<Value> visit(const Expr& expr, const ListLiteral& node);
  base::Result<Value> visit(const Expr& expr, const MapLiteral& node);
  base::Result<Value> visit(const Expr& expr, const Comprehension& node);
  base::Result<Value> visit(const Expr& expr, const Bind& node);

  /// The value of an operand that a function or a test looks at: never a view of a scalar.
  base::Result<Value> read(const Expr& expr);
  base::Result<bool> test(const Expr& expr);
  base::Result<> bind_locals(const Expr& expr, const Comprehension& node, const Cursor& at);
  base::Result<Value> find(const Expr& expr, const Comprehension& node, const Value& range);
  base::Result<Value> count(const Expr& expr, const Comprehension& node, const Value& range);
  base::Result<Value> collect(const Expr& expr, const Comprehension& node, const Value& range);
  base::Result<> add_entry(const Expr& key_expr, std::vector<Entry>& entries, Entry entry);

  /// The result, with its place if it is an error.
  template <class T>
  base::Result<T> placed(const Expr& expr, base::Result<T> result) const;
  base::Error error(const Expr& expr, std::string message) const;

  std::string_view source_;
  const Bindings& bindings_;
  Budget& budget_;
  std::vector<Value> locals_;
};

}  // namespace model::cel
