#include "model/cel/checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/cel/source.h"

namespace model::cel {

namespace {

// "a.b.c" of names joined by dots; nothing of any other expression.
std::optional<std::string> dotted_name(const Expr& expr) {
  if (const auto* name = std::get_if<Name>(&expr.node)) return name->name;
  const auto* member = std::get_if<Member>(&expr.node);
  if (member == nullptr || member->presence) return std::nullopt;
  std::optional<std::string> operand = dotted_name(*member->operand);
  if (operand) *operand += '.' + member->name;
  return operand;
}

const Name& root_name(const Expr& expr) {
  const Expr* at = &expr;
  while (const auto* member = std::get_if<Member>(&at->node)) at = member->operand.get();
  return std::get<Name>(at->node);
}

// The string that an expression is, or nothing.
const std::string* constant_string(const Expr& expr) {
  const auto* constant = std::get_if<Constant>(&expr.node);
  if (constant == nullptr || !constant->value.is(Type::string)) return nullptr;
  return &constant->value.as_string();
}

bool may_be(Type type, Type wanted) {
  return type == Type::dyn || type == wanted;
}

Type common(Type left, Type right) {
  return left == right ? left : Type::dyn;
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

}  // namespace

base::Result<Type> Checker::check(Expr& expr) {
  return std::visit([&](auto& node) { return visit(expr, node); }, expr.node);
}

base::Result<Type> Checker::visit(Expr&, Constant& node) {
  return node.value.type();
}

base::Result<Type> Checker::visit(Expr& expr, Name& node) {
  if (find_local(node, node.local) != nullptr) return Type::dyn;
  if (is_variable(node.name)) {
    reads_[node.name].all = true;
    return Type::dyn;
  }
  std::optional<Type> type = type_from_name(node.name);
  if (!type) return unknown(expr.offset, node.name);
  expr.node = Constant{Value::type(*type)};
  return Type::type;
}

base::Result<Type> Checker::visit(Expr& expr, Member& node) {
  if (std::optional<Name> variable = qualified_variable(expr)) {
    expr.node = std::move(*variable);
    return check(expr);
  }
  if (std::optional<Type> type = qualified_type(expr)) {
    expr.node = Constant{Value::type(*type)};
    return Type::type;
  }
  if (std::optional<Name> variable = qualified_variable(*node.operand)) {
    reads_[variable->name].names.insert(node.name);
    node.operand->node = std::move(*variable);
    return node.presence ? Type::boolean : Type::dyn;
  }
  Type operand = TRY(check(*node.operand));
  if (!may_be(operand, Type::map))
    return error(expr.offset, fmt::format("{} has no members", name_of(operand)));
  return node.presence ? Type::boolean : Type::dyn;
}

base::Result<Type> Checker::visit(Expr& expr, Call& node) {
  if (node.form == CallForm::method) qualify(node);
  node.candidates = find_overloads(node.form, node.name);
  std::vector<Type> types;
  std::size_t first = 0;
  const std::string* member = nullptr;
  if (node.form == CallForm::index) member = constant_string(*node.arguments[1]);
  if (member != nullptr)
    if (std::optional<Name> variable = qualified_variable(*node.arguments[0])) {
      reads_[variable->name].names.insert(*member);
      node.arguments[0]->node = std::move(*variable);
      types.push_back(Type::dyn);
      first = 1;
    }
  for (std::size_t i = first; i < node.arguments.size(); ++i)
    types.push_back(TRY(check(*node.arguments[i])));
  std::erase_if(node.candidates,
                [&](const Overload* overload) { return !overload->parameters.accept(types); });
  if (node.candidates.empty())
    return error(expr.offset,
                 fmt::format("there is no {}", show_call(node.form, node.name, types)));
  Type result = node.candidates.front()->result;
  for (const Overload* overload : node.candidates) result = common(result, overload->result);
  TRY(fix_pattern(expr, node));
  return result;
}

// `math.least(…)` is parsed as a method of `math`.
void Checker::qualify(Call& call) const {
  std::optional<std::string> name = dotted_name(*call.arguments[0]);
  if (!name || is_known(root_name(*call.arguments[0]))) return;
  std::string qualified = *name + '.' + call.name;
  if (find_overloads(CallForm::function, qualified).empty()) return;
  call.name = std::move(qualified);
  call.form = CallForm::function;
  call.arguments.erase(call.arguments.begin());
}

base::Result<> Checker::fix_pattern(Expr& expr, Call& call) {
  if (call.name != "matches") return {};
  const std::string* pattern = constant_string(*call.arguments[1]);
  if (pattern == nullptr) return {};
  auto regex = Regex::compile(*pattern);
  if (!regex) return at(source_, call.arguments[1]->offset, std::move(regex).error());
  expr.node = Match{std::move(call.arguments[0]), std::move(*regex)};
  return {};
}

base::Result<Type> Checker::visit(Expr&, Match&) {
  return Type::boolean;  // made by the checker itself
}

base::Result<> Checker::check_boolean(Expr& expr, std::string_view where) {
  Type type = TRY(check(expr));
  if (may_be(type, Type::boolean)) return {};
  return error(expr.offset, fmt::format("{} is a bool, this is {}", where, name_of(type)));
}

base::Result<Type> Checker::visit(Expr&, Logical& node) {
  std::string where = fmt::format("an operand of {}", node.decisive ? "||" : "&&");
  for (ExprPtr& operand : node.operands) TRY(check_boolean(*operand, where));
  return Type::boolean;
}

base::Result<Type> Checker::visit(Expr&, Conditional& node) {
  TRY(check_boolean(*node.condition, "the condition of ?:"));
  Type yes = TRY(check(*node.yes));
  return common(yes, TRY(check(*node.no)));
}

base::Result<Type> Checker::visit(Expr&, ListLiteral& node) {
  for (ExprPtr& element : node.elements) TRY(check(*element));
  return Type::list;
}

base::Result<Type> Checker::visit(Expr&, MapLiteral& node) {
  for (auto& [key, value] : node.entries) {
    Type type = TRY(check(*key));
    bool may = may_be(type, Type::string) || may_be(type, Type::integer) ||
               may_be(type, Type::uinteger) || may_be(type, Type::boolean);
    if (!may)
      return error(key->offset,
                   fmt::format("a key is a string, int, uint or bool, this is {}", name_of(type)));
    TRY(check(*value));
  }
  return Type::map;
}

base::Result<Type> Checker::visit(Expr& expr, Comprehension& node) {
  Type range = TRY(check(*node.range));
  if (!may_be(range, Type::list) && !may_be(range, Type::map))
    return error(expr.offset,
                 fmt::format("a macro goes over a list or a map, this is {}", name_of(range)));
  node.local = locals_.size();
  locals_.insert(locals_.end(), node.names.begin(), node.names.end());
  if (node.condition != nullptr) TRY(check_boolean(*node.condition, "the condition"));
  if (node.result != nullptr) TRY(check(*node.result));
  locals_.resize(node.local);
  switch (node.macro) {
    case Macro::filter:
    case Macro::map:
      return Type::list;
    case Macro::map_values:
      return Type::map;
    default:
      return Type::boolean;
  }
}

base::Result<Type> Checker::visit(Expr&, Bind& node) {
  TRY(check(*node.value));
  node.local = locals_.size();
  locals_.push_back(node.name);
  Type type = TRY(check(*node.body));
  locals_.pop_back();
  return type;
}

bool Checker::is_variable(std::string_view name) const {
  return std::find(scope_.variables.begin(), scope_.variables.end(), name) !=
         scope_.variables.end();
}

// The innermost local of the name.
const std::string* Checker::find_local(const Name& name, std::size_t& index) const {
  if (name.absolute) return nullptr;
  auto found = std::find(locals_.rbegin(), locals_.rend(), name.name);
  if (found == locals_.rend()) return nullptr;
  index = static_cast<std::size_t>(locals_.rend() - found) - 1;
  return &*found;
}

bool Checker::is_known(const Name& name) const {
  std::size_t index = 0;
  return find_local(name, index) != nullptr || is_variable(name.name);
}

// The variable that an expression is, by its own name or a dotted one.
std::optional<Name> Checker::qualified_variable(const Expr& expr) const {
  std::optional<std::string> name = dotted_name(expr);
  std::size_t index = 0;
  if (!name || !is_variable(*name) || find_local(root_name(expr), index) != nullptr)
    return std::nullopt;
  return Name{std::move(*name), true};
}

// The type that a dotted name is: google.protobuf.Timestamp.
std::optional<Type> Checker::qualified_type(const Expr& expr) const {
  std::optional<std::string> name = dotted_name(expr);
  if (!name || is_known(root_name(expr))) return std::nullopt;
  return type_from_name(*name);
}

base::Error Checker::unknown(std::size_t offset, std::string_view name) const {
  std::vector<std::string> names = scope_.variables;
  names.insert(names.end(), locals_.begin(), locals_.end());
  std::sort(names.begin(), names.end());
  return error(offset, fmt::format("no variable '{}'; there are: {}", name, join(names)));
}

base::Error Checker::error(std::size_t offset, std::string message) const {
  return at(source_, offset, base::invalid(std::move(message)));
}

}  // namespace model::cel
