// Resolves the names of a tree and refuses what can only fail: unknown names, calls that no
// overload takes. Types are known only as far as literals and functions tell; the rest is `dyn`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/cel/ast.h"
#include "model/cel/program.h"

namespace model::cel {

class Checker {
 public:
  Checker(std::string_view source, const Scope& scope) : source_(source), scope_(scope) {}

  /// The expression's type, as far as it is known. Errors name their place in the source.
  base::Result<Type> check(Expr& expr);
  Reads take_reads() { return std::move(reads_); }

 private:
  base::Result<Type> visit(Expr& expr, Constant& node);
  base::Result<Type> visit(Expr& expr, Name& node);
  base::Result<Type> visit(Expr& expr, Member& node);
  base::Result<Type> visit(Expr& expr, Call& node);
  base::Result<Type> visit(Expr& expr, Match& node);
  base::Result<Type> visit(Expr& expr, Logical& node);
  base::Result<Type> visit(Expr& expr, Conditional& node);
  base::Result<Type> visit(Expr& expr, ListLiteral& node);
  base::Result<Type> visit(Expr& expr, MapLiteral& node);
  base::Result<Type> visit(Expr& expr, Comprehension& node);
  base::Result<Type> visit(Expr& expr, Bind& node);

  base::Result<> check_boolean(Expr& expr, std::string_view where);
  base::Result<> fix_pattern(Expr& expr, Call& call);
  void qualify(Call& call) const;
  bool is_known(const Name& name) const;
  const std::string* find_local(const Name& name, std::size_t& index) const;
  bool is_variable(std::string_view name) const;
  std::optional<Name> qualified_variable(const Expr& expr) const;
  std::optional<Type> qualified_type(const Expr& expr) const;
  base::Error unknown(std::size_t offset, std::string_view name) const;
  base::Error error(std::size_t offset, std::string message) const;

  std::string_view source_;
  const Scope& scope_;
  std::vector<std::string> locals_;
  Reads reads_;
};

}  // namespace model::cel
