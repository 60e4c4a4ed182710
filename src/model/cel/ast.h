// An expression as a tree. The parser builds it, the checker resolves its names in place, and the
// evaluator walks it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/cel/functions.h"
#include "model/cel/regex.h"
#include "model/cel/value.h"

namespace model::cel {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Constant {
  Value value;
};

struct Name {
  static constexpr std::size_t variable = SIZE_MAX;

  std::string name;
  bool absolute = false;         // `.name`: never a local
  std::size_t local = variable;  // number of the local it names; set by the checker
};

/// `operand.name`, or whether it is there: `has(operand.name)`.
struct Member {
  ExprPtr operand;
  std::string name;
  bool presence = false;
};

/// A function, a method (the receiver is the first argument), or an operator by its symbol.
struct Call {
  std::string name;
  CallForm form;
  std::vector<ExprPtr> arguments;
  std::vector<const Overload*> candidates = {};  // set by the checker
};

/// `text.matches("pattern")` with a pattern that is written down: compiled once, by the checker.
struct Match {
  ExprPtr text;
  std::shared_ptr<const Regex> regex;
};

/// A row of `&&` or of `||`.
struct Logical {
  bool decisive;  // the operand that decides: false of `&&`, true of `||`
  std::vector<ExprPtr> operands;
};

struct Conditional {
  ExprPtr condition, yes, no;
};

struct ListLiteral {
  std::vector<ExprPtr> elements;
};

struct MapLiteral {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};

enum class Macro { all, exists, exists_one, filter, map, map_values };

/// A macro over a list or a map. Locals `names` hold the element of a list or the key of a map; or,
/// if there are two, index and element, or key and value.
struct Comprehension {
  Macro macro;
  ExprPtr range;
  std::vector<std::string> names;
  ExprPtr condition;      // null: true
  ExprPtr result;         // of map and map_values
  std::size_t local = 0;  // number of the first of its locals; set by the checker
};

/// `cel.bind(name, value, body)`.
struct Bind {
  std::string name;
  ExprPtr value, body;
  std::size_t local = 0;
};

struct Expr {
  using Node = std::variant<Constant, Name, Member, Call, Match, Logical, Conditional, ListLiteral,
                            MapLiteral, Comprehension, Bind>;
  Node node;
  std::size_t offset;  // byte of the source that messages name
  std::size_t height;  // 1 of a leaf
};

ExprPtr make_expr(Expr::Node node, std::size_t offset);

}  // namespace model::cel
