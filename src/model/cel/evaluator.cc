#include "model/cel/evaluator.h"

#include <fmt/format.h>

#include <array>

#include "model/cel/compare.h"
#include "model/cel/source.h"
#include "model/cel/text.h"

namespace model::cel {

template <class T>
base::Result<T> Evaluator::placed(const Expr& expr, base::Result<T> result) const {
  if (result) return result;
  return at(source_, expr.offset, std::move(result).error());
}

base::Error Evaluator::error(const Expr& expr, std::string message) const {
  return at(source_, expr.offset, base::invalid(std::move(message)));
}

base::Result<Value> Evaluator::evaluate(const Expr& expr) {
  TRY(placed(expr, budget_.use_steps(1)));
  return std::visit([&](const auto& node) { return visit(expr, node); }, expr.node);
}

base::Result<Value> Evaluator::read(const Expr& expr) {
  Value value = TRY(evaluate(expr));
  return placed(expr, value.read(budget_));
}

base::Result<bool> Evaluator::test(const Expr& expr) {
  Value value = TRY(read(expr));
  if (value.is(Type::boolean)) return value.as_boolean();
  return error(expr, fmt::format("a bool is needed here, this is {}", name_of(value.type())));
}

base::Result<Value> Evaluator::visit(const Expr&, const Constant& node) {
  return node.value;
}

base::Result<Value> Evaluator::visit(const Expr& expr, const Name& node) {
  if (node.local != Name::variable) return locals_[node.local];
  if (const Value* value = bindings_.find(node.name)) return *value;
  return error(expr, fmt::format("variable '{}' has no value", node.name));
}

base::Result<Value> Evaluator::visit(const Expr& expr, const Member& node) {
  Value operand = TRY(evaluate(*node.operand));
  if (!operand.is(Type::map))
    return error(expr, fmt::format("{} has no members", name_of(operand.type())));
  TRY(placed(expr, budget_.use_scan(operand.size())));
  std::optional<Value> found = operand.find(node.name);
  if (node.presence) return Value::boolean(found.has_value());
  if (found) return *found;
  return error(expr, fmt::format("no member {}", show(Value::string(node.name))));
}

base::Result<Value> Evaluator::visit(const Expr& expr, const Call& node) {
  std::vector<Value> arguments;
  std::vector<Type> types;
  arguments.reserve(node.arguments.size());
  types.reserve(node.arguments.size());
  for (const ExprPtr& argument : node.arguments) {
    const Value& value = arguments.emplace_back(TRY(read(*argument)));
    types.push_back(value.type());
    std::size_t bytes = value.is(Type::string)  ? value.as_string().size()
                        : value.is(Type::bytes) ? value.as_bytes().size()
                                                : 0;
    TRY(placed(expr, budget_.use_text(bytes)));
  }
  for (const Overload* overload : node.candidates)
    if (overload->parameters.accept(types)) return placed(expr, overload->call(arguments, budget_));
  return error(expr, fmt::format("there is no {}", show_call(node.form, node.name, types)));
}

base::Result<Value> Evaluator::visit(const Expr& expr, const Match& node) {
  Value text = TRY(read(*node.text));
  if (!text.is(Type::string)) {
    std::array<Type, 2> types{text.type(), Type::string};
    return error(expr,
                 fmt::format("there is no {}", show_call(CallForm::method, "matches", types)));
  }
  return Value::boolean(TRY(placed(expr, node.regex->matches(text.as_string(), budget_))));
}

// An operand that decides wins over errors on either side of it; a budget that is used up does not
// give way.
base::Result<Value> Evaluator::visit(const Expr&, const Logical& node) {
  std::optional<base::Error> first_error;
  for (const ExprPtr& operand : node.operands) {
    auto holds = test(*operand);
    if (holds && *holds == node.decisive) return Value::boolean(node.decisive);
    if (holds) continue;
    if (budget_.exhausted()) return std::move(holds).error();
    if (!first_error) first_error = std::move(holds).error();
  }
  if (first_error) return std::move(*first_error);
  return Value::boolean(!node.decisive);
}

base::Result<Value> Evaluator::visit(const Expr&, const Conditional& node) {
  return evaluate(TRY(test(*node.condition)) ? *node.yes : *node.no);
}

base::Result<Value> Evaluator::visit(const Expr& expr, const ListLiteral& node) {
  TRY(placed(expr, budget_.use_bytes(node.elements.size() * sizeof(Value))));
  std::vector<Value> elements;
  elements.reserve(node.elements.size());
  for (const ExprPtr& element : node.elements) elements.push_back(TRY(evaluate(*element)));
  return Value::list(std::move(elements));
}

base::Result<Value> Evaluator::visit(const Expr& expr, const MapLiteral& node) {
  TRY(placed(expr, budget_.use_bytes(node.entries.size() * sizeof(Entry))));
  std::vector<Entry> entries;
  entries.reserve(node.entries.size());
  for (const auto& [key, value] : node.entries) {
    Entry entry;
    entry.key = TRY(read(*key));
    entry.value = TRY(evaluate(*value));
    TRY(add_entry(*key, entries, std::move(entry)));
  }
  return Value::map(std::move(entries));
}

base::Result<> Evaluator::add_entry(const Expr& key_expr, std::vector<Entry>& entries,
                                    Entry entry) {
  Type type = entry.key.type();
  bool may = type == Type::string || type == Type::integer || type == Type::uinteger ||
             type == Type::boolean;
  if (!may)
    return error(key_expr,
                 fmt::format("a key is a string, int, uint or bool, this is {}", name_of(type)));
  TRY(placed(key_expr, budget_.use_scan(entries.size())));
  for (const Entry& other : entries)
    if (same_scalar(other.key, entry.key))
      return error(key_expr, fmt::format("the key {} is there twice", show(entry.key)));
  entries.push_back(std::move(entry));
  return {};
}

base::Result<Value> Evaluator::visit(const Expr&, const Bind& node) {
  Value value = TRY(evaluate(*node.value));
  locals_.resize(node.local);
  locals_.push_back(std::move(value));
  return evaluate(*node.body);
}

base::Result<Value> Evaluator::visit(const Expr& expr, const Comprehension& node) {
  Value range = TRY(evaluate(*node.range));
  if (!range.is(Type::list) && !range.is(Type::map))
    return error(
        expr, fmt::format("a macro goes over a list or a map, this is {}", name_of(range.type())));
  switch (node.macro) {
    case Macro::all:
    case Macro::exists:
      return find(expr, node, range);
    case Macro::exists_one:
      return count(expr, node, range);
    default:
      return collect(expr, node, range);
  }
}

base::Result<> Evaluator::bind_locals(const Expr& expr, const Comprehension& node,
                                      const Cursor& at) {
  TRY(placed(expr, budget_.use_steps(1)));
  locals_.resize(node.local);
  bool two = node.names.size() == 2;
  if (two || at.in_map()) locals_.push_back(at.key());
  if (two || !at.in_map()) locals_.push_back(at.value());
  return {};
}

// all and exists: like a row of && or ||.
base::Result<Value> Evaluator::find(const Expr& expr, const Comprehension& node,
                                    const Value& range) {
  bool decisive = node.macro == Macro::exists;
  std::optional<base::Error> first_error;
  for (Cursor at(range); at.next();) {
    TRY(bind_locals(expr, node, at));
    auto holds = test(*node.condition);
    if (holds && *holds == decisive) return Value::boolean(decisive);
    if (holds) continue;
    if (budget_.exhausted()) return std::move(holds).error();
    if (!first_error) first_error = std::move(holds).error();
  }
  if (first_error) return std::move(*first_error);
  return Value::boolean(!decisive);
}

base::Result<Value> Evaluator::count(const Expr& expr, const Comprehension& node,
                                     const Value& range) {
  std::size_t found = 0;
  for (Cursor at(range); at.next();) {
    TRY(bind_locals(expr, node, at));
    if (TRY(test(*node.condition))) ++found;
  }
  return Value::boolean(found == 1);
}

// filter, map and map_values.
base::Result<Value> Evaluator::collect(const Expr& expr, const Comprehension& node,
                                       const Value& range) {
  std::vector<Value> elements;
  std::vector<Entry> entries;
  for (Cursor at(range); at.next();) {
    TRY(bind_locals(expr, node, at));
    if (node.condition != nullptr && !TRY(test(*node.condition))) continue;
    TRY(placed(expr, budget_.use_bytes(sizeof(Entry))));
    if (node.macro == Macro::map_values) {
      Value key = TRY(placed(expr, at.key().read(budget_)));
      Value value = TRY(evaluate(*node.result));
      entries.push_back({std::move(key), std::move(value)});
    } else if (node.macro == Macro::map) {
      elements.push_back(TRY(evaluate(*node.result)));
    } else {
      elements.push_back(at.in_map() ? at.key() : at.value());
    }
  }
  if (node.macro == Macro::map_values) return Value::map(std::move(entries));
  return Value::list(std::move(elements));
}

}  // namespace model::cel
