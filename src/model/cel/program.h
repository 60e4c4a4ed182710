// An expression that has been compiled: the language's front door. See docs/expressions.md.
//
//   auto program = TRY(compile("size(inputs.rows) > 0", {.variables = {"inputs"}}));
//   Bindings bindings;
//   bindings.set("inputs", Value::json(document));
//   Budget budget;
//   Value value = TRY(program->evaluate(bindings, budget));
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "model/cel/budget.h"
#include "model/cel/reads.h"
#include "model/cel/type.h"
#include "model/cel/value.h"

namespace model::cel {

/// What an expression may name, and what it must result in.
struct Scope {
  std::vector<std::string> variables;  // of any type
  Type result = Type::dyn;             // refused are results that are certainly of another type
};

/// The variables' values for one evaluation.
class Bindings {
 public:
  void set(std::string_view name, Value value);
  /// Nothing if it has not been set.
  const Value* find(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, Value>> values_;
};

struct Expr;

class Program {
 public:
  ~Program();
  /// Thread-safe. Error `invalid` tells what failed and where, as "1:14: division by zero"; error
  /// `too_large` that the budget is used up.
  base::Result<Value> evaluate(const Bindings& bindings, Budget& budget) const;
  /// Which variables it reads, and which members of them.
  const Reads& reads() const { return reads_; }

 private:
  friend class Compiler;
  Program(std::shared_ptr<const std::string> source, std::unique_ptr<const Expr> root, Type result,
          Reads reads);

  std::shared_ptr<const std::string> source_;  // for the places in messages
  std::unique_ptr<const Expr> root_;
  Type result_;
  Reads reads_;
};

using ProgramPtr = std::shared_ptr<const Program>;

/// Error `invalid` for what does not parse, names something that there is not, or can only fail;
/// its message begins with line and column: "1:1: no variable 'input'; there are: inputs, tasks".
base::Result<ProgramPtr> compile(std::string_view source, const Scope& scope);

/// An expression inside of a longer text that ends where `}}` follows it.
struct Embedded {
  ProgramPtr program;
  std::size_t end;  // of the text, after the `}}`
};
/// Compiles the expression that begins at byte `begin` of `text`, which is UTF-8. Places in
/// messages are those in the whole text; all its programs share it.
base::Result<Embedded> compile_embedded(std::shared_ptr<const std::string> text, std::size_t begin,
                                        const Scope& scope);

}  // namespace model::cel
