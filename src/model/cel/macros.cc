#include "model/cel/macros.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace model::cel {

namespace {

/// A macro over a container, in one of its forms.
struct Form {
  std::string_view name;
  std::size_t names;      // variables
  std::size_t arguments;  // with them
  Macro macro;
  bool has_condition;
};

constexpr std::array<Form, 15> forms = {{
    {"all", 1, 2, Macro::all, true},
    {"all", 2, 3, Macro::all, true},
    {"exists", 1, 2, Macro::exists, true},
    {"exists", 2, 3, Macro::exists, true},
    {"exists_one", 1, 2, Macro::exists_one, true},
    {"exists_one", 2, 3, Macro::exists_one, true},
    {"existsOne", 1, 2, Macro::exists_one, true},
    {"existsOne", 2, 3, Macro::exists_one, true},
    {"filter", 1, 2, Macro::filter, true},
    {"map", 1, 2, Macro::map, false},
    {"map", 1, 3, Macro::map, true},
    {"transformList", 2, 3, Macro::map, false},
    {"transformList", 2, 4, Macro::map, true},
    {"transformMap", 2, 3, Macro::map_values, false},
    {"transformMap", 2, 4, Macro::map_values, true},
}};

const Form* find_form(std::string_view name, std::size_t arguments) {
  for (const Form& form : forms)
    if (form.name == name && form.arguments == arguments) return &form;
  return nullptr;
}

// The variable that an argument names.
base::Result<std::string> variable_name(const ExprPtr& argument, std::size_t& offset) {
  const auto* name = std::get_if<Name>(&argument->node);
  if (name != nullptr && !name->absolute) return name->name;
  offset = argument->offset;
  return base::invalid("a macro's variable is a plain name");
}

base::Result<Expr::Node> expand_has(Call& call, std::size_t& offset) {
  auto* member = std::get_if<Member>(&call.arguments[0]->node);
  if (member != nullptr && !member->presence)
    return Expr::Node(Member{std::move(member->operand), std::move(member->name), true});
  offset = call.arguments[0]->offset;
  return base::invalid("has() takes a member, as in has(inputs.rows)");
}

base::Result<Expr::Node> expand_bind(Call& call, std::size_t& offset) {
  std::string name = TRY(variable_name(call.arguments[1], offset));
  return Expr::Node(
      Bind{std::move(name), std::move(call.arguments[2]), std::move(call.arguments[3])});
}

base::Result<Expr::Node> expand_comprehension(const Form& form, Call& call, std::size_t& offset) {
  Comprehension node{form.macro, nullptr, {}, nullptr, nullptr};
  std::size_t next = 1;
  for (; next <= form.names; ++next)
    node.names.push_back(TRY(variable_name(call.arguments[next], offset)));
  if (node.names.size() == 2 && node.names[0] == node.names[1]) {
    offset = call.arguments[2]->offset;
    return base::invalid("a macro's two variables have two names");
  }
  node.range = std::move(call.arguments[0]);
  if (form.has_condition) node.condition = std::move(call.arguments[next++]);
  if (next < call.arguments.size()) node.result = std::move(call.arguments[next]);
  return Expr::Node(std::move(node));
}

bool is_cel(const ExprPtr& receiver) {
  const auto* name = std::get_if<Name>(&receiver->node);
  return name != nullptr && name->name == "cel";
}

}  // namespace

base::Result<std::optional<Expr::Node>> expand_macro(Call& call, std::size_t& offset) {
  std::optional<Expr::Node> node;
  std::size_t count = call.arguments.size();
  if (call.form == CallForm::function) {
    if (call.name == "has" && count == 1) node = TRY(expand_has(call, offset));
    return node;
  }
  if (call.name == "bind" && count == 4 && is_cel(call.arguments[0])) {
    node = TRY(expand_bind(call, offset));
  } else if (const Form* form = find_form(call.name, count - 1)) {
    node = TRY(expand_comprehension(*form, call, offset));
  }
  return node;
}

}  // namespace model::cel
