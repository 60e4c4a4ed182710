// The grammar: tokens in, a tree out. Source: CEL language definition, "Syntax" and "Macros".
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/cel/ast.h"
#include "model/cel/lexer.h"

namespace model::cel {

/// By recursive descent. Nesting is bounded, so the stack is safe here and in all that walks the
/// tree.
class Parser {
 public:
  Parser(std::string_view source, std::size_t begin) : lexer_(source, begin) {}

  /// The expression that is the whole rest of the source.
  base::Result<ExprPtr> whole();
  /// An expression that `}}` follows; `end` is the byte after it.
  base::Result<ExprPtr> until_braces(std::size_t& end);

 private:
  base::Result<ExprPtr> expression();
  base::Result<ExprPtr> logical(std::string_view symbol);
  base::Result<ExprPtr> infix(std::size_t level);
  base::Result<ExprPtr> unary();
  base::Result<ExprPtr> member();
  base::Result<ExprPtr> member_of(ExprPtr expr);
  base::Result<ExprPtr> primary();
  base::Result<ExprPtr> select(ExprPtr operand);
  base::Result<ExprPtr> index(ExprPtr operand);
  base::Result<ExprPtr> name(bool absolute);
  base::Result<ExprPtr> number(bool negative);
  base::Result<ExprPtr> list_literal();
  base::Result<ExprPtr> map_literal();
  base::Result<std::vector<ExprPtr>> arguments(std::string_view closing);

  base::Result<> advance();
  base::Result<bool> skip(std::string_view symbol);
  base::Result<> expect(std::string_view symbol);
  base::Result<ExprPtr> make_call(Call call, std::size_t offset);
  base::Result<ExprPtr> make(Expr::Node node, std::size_t offset);
  base::Error error(std::size_t offset, std::string message) const;
  base::Error too_deep(std::size_t offset) const;
  base::Error unexpected(std::string_view wanted) const;

  Lexer lexer_;
  Token token_;
  std::size_t depth_ = 0;
};

}  // namespace model::cel
