#include "model/cel/program.h"

#include <fmt/format.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "model/cel/checker.h"
#include "model/cel/evaluator.h"
#include "model/cel/parser.h"
#include "model/cel/source.h"

namespace model::cel {

void Bindings::set(std::string_view name, Value value) {
  for (auto& [known, old] : values_)
    if (known == name) {
      old = std::move(value);
      return;
    }
  values_.emplace_back(name, std::move(value));
}

const Value* Bindings::find(std::string_view name) const {
  for (const auto& [known, value] : values_)
    if (known == name) return &value;
  return nullptr;
}

Program::Program(std::shared_ptr<const std::string> source, std::unique_ptr<const Expr> root,
                 Type result, Reads reads)
    : source_(std::move(source)),
      root_(std::move(root)),
      result_(result),
      reads_(std::move(reads)) {}

Program::~Program() = default;

base::Result<Value> Program::evaluate(const Bindings& bindings, Budget& budget) const {
  Value value = TRY(Evaluator(*source_, bindings, budget).evaluate(*root_));
  if (result_ == Type::dyn) return value;
  auto read = value.read(budget);
  if (!read) return at(*source_, root_->offset, std::move(read).error());
  if (read->is(result_)) return read;
  return at(*source_, root_->offset,
            base::invalid(fmt::format("the result must be {}, this is {}", name_of(result_),
                                      name_of(read->type()))));
}

/// Makes a program of a tree that has been parsed.
class Compiler {
 public:
  static base::Result<ProgramPtr> check(std::shared_ptr<const std::string> source, ExprPtr root,
                                        const Scope& scope) {
    Checker checker(*source, scope);
    Type type = TRY(checker.check(*root));
    if (scope.result != Type::dyn && type != Type::dyn && type != scope.result)
      return at(*source, root->offset,
                base::invalid(fmt::format("the result must be {}, this is {}",
                                          name_of(scope.result), name_of(type))));
    return ProgramPtr(
        new Program(std::move(source), std::move(root), scope.result, checker.take_reads()));
  }
};

namespace {
base::Error too_long() {
  return base::invalid(
      fmt::format("an expression has at most {} bytes", base::limits::expression_bytes_max));
}
}  // namespace

base::Result<ProgramPtr> compile(std::string_view source, const Scope& scope) {
  if (source.size() > base::limits::expression_bytes_max) return too_long();
  if (!base::is_utf8(source)) return base::invalid("an expression is UTF-8 text");
  ExprPtr root = TRY(Parser(source, 0).whole());
  return Compiler::check(std::make_shared<const std::string>(source), std::move(root), scope);
}

base::Result<Embedded> compile_embedded(std::shared_ptr<const std::string> text, std::size_t begin,
                                        const Scope& scope) {
  constexpr std::string_view braces = "}}";
  std::size_t bytes_max = begin + base::limits::expression_bytes_max + braces.size();
  std::string_view window = base::utf8_prefix(*text, bytes_max);
  std::size_t end = begin;
  auto root = Parser(window, begin).until_braces(end);
  if (!root && window.size() < text->size() && window.find(braces, begin) == std::string::npos)
    return at(window, begin, too_long());
  if (!root) return std::move(root).error();
  ProgramPtr program = TRY(Compiler::check(std::move(text), std::move(*root), scope));
  return Embedded{std::move(program), end};
}

}  // namespace model::cel
