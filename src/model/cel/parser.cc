#include "model/cel/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "base/limits.h"
#include "model/cel/macros.h"
#include "model/cel/source.h"

namespace model::cel {

namespace {

constexpr std::array<std::string_view, 17> reserved = {
    "as",  "break", "const",     "continue", "else",   "for", "function", "if",   "import",
    "let", "loop",  "namespace", "package",  "return", "var", "void",     "while"};
constexpr std::array<std::string_view, 4> keywords = {"false", "in", "null", "true"};

bool contains(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Operators from the loosest to the tightest.
constexpr std::array<std::string_view, 7> relations = {"==", "!=", "<", "<=", ">", ">=", "in"};
constexpr std::array<std::string_view, 2> sums = {"+", "-"};
constexpr std::array<std::string_view, 3> products = {"*", "/", "%"};
constexpr std::array<std::span<const std::string_view>, 3> levels = {relations, sums, products};

constexpr std::string_view no_optionals = "optional values are not part of this language";

template <class T>
std::optional<T> parse(std::string text) {
  T value{};
  int base = 10;
  if (std::size_t hex = text.find("0x"); hex != std::string::npos) {
    text.erase(hex, 2);
    base = 16;
  }
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Infinite where it is too large, zero where it is too small, as IEEE 754 rounds.
double parse_real(const std::string& text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? value : std::strtod(text.c_str(), nullptr);
}

}  // namespace

base::Result<ExprPtr> Parser::whole() {
  TRY(advance());
  ExprPtr expr = TRY(expression());
  if (token_.kind != TokenKind::end) return unexpected("the end");
  return expr;
}

base::Result<ExprPtr> Parser::until_braces(std::size_t& end) {
  TRY(advance());
  ExprPtr expr = TRY(expression());
  if (!token_.is("}") || !lexer_.source().substr(token_.end).starts_with("}"))
    return unexpected("'}}'");
  end = token_.end + 1;
  return expr;
}

base::Result<ExprPtr> Parser::expression() {
  if (++depth_ > base::limits::expression_depth_max) return too_deep(token_.begin);
  ExprPtr expr = TRY(logical("||"));
  std::size_t offset = token_.begin;
  if (TRY(skip("?"))) {
    ExprPtr yes = TRY(logical("||"));
    TRY(expect(":"));
    ExprPtr no = TRY(expression());
    expr = TRY(make(Conditional{std::move(expr), std::move(yes), std::move(no)}, offset));
  }
  --depth_;
  return expr;
}

base::Result<ExprPtr> Parser::logical(std::string_view symbol) {
  bool is_or = symbol == "||";
  auto operand = [&] { return is_or ? logical("&&") : infix(0); };
  ExprPtr first = TRY(operand());
  if (!token_.is(symbol)) return first;
  std::size_t offset = token_.begin;
  Logical node{is_or, {}};
  node.operands.push_back(std::move(first));
  while (TRY(skip(symbol))) node.operands.push_back(TRY(operand()));
  return make(std::move(node), offset);
}

base::Result<ExprPtr> Parser::infix(std::size_t level) {
  if (level == levels.size()) return unary();
  ExprPtr left = TRY(infix(level + 1));
  auto is_operator = [&] {
    bool may = token_.kind == TokenKind::symbol || token_.kind == TokenKind::identifier;
    return may && contains(levels[level], token_.text);
  };
  while (is_operator()) {
    Call call{token_.text, CallForm::infix, {}};
    std::size_t offset = token_.begin;
    TRY(advance());
    call.arguments.push_back(std::move(left));
    call.arguments.push_back(TRY(infix(level + 1)));
    left = TRY(make(std::move(call), offset));
  }
  return left;
}

base::Result<ExprPtr> Parser::unary() {
  std::size_t offset = token_.begin;
  if (!token_.is("!") && !token_.is("-")) return member();
  Call call{token_.text, CallForm::prefix, {}};
  TRY(advance());
  bool of_number = token_.kind == TokenKind::integer || token_.kind == TokenKind::real;
  if (call.name == "-" && of_number) return member_of(TRY(number(true)));
  if (++depth_ > base::limits::expression_depth_max) return too_deep(offset);
  call.arguments.push_back(TRY(unary()));
  --depth_;
  return make(std::move(call), offset);
}

base::Result<ExprPtr> Parser::member() {
  return member_of(TRY(primary()));
}

base::Result<ExprPtr> Parser::member_of(ExprPtr expr) {
  while (true) {
    if (TRY(skip("."))) {
      expr = TRY(select(std::move(expr)));
    } else if (token_.is("[")) {
      expr = TRY(index(std::move(expr)));
    } else if (token_.is("{") && !std::holds_alternative<MapLiteral>(expr->node)) {
      return error(token_.begin, "messages are not part of this language");
    } else {
      return expr;
    }
  }
}

base::Result<ExprPtr> Parser::select(ExprPtr operand) {
  std::size_t offset = token_.begin;
  if (token_.is("?")) return error(offset, std::string(no_optionals));
  bool quoted = token_.kind == TokenKind::quoted_identifier;
  bool plain = token_.kind == TokenKind::identifier && !contains(keywords, token_.text);
  if (!quoted && !plain) return unexpected("a name");
  std::string name = std::move(token_.text);
  TRY(advance());
  if (quoted || !token_.is("(")) return make(Member{std::move(operand), std::move(name)}, offset);
  Call call{std::move(name), CallForm::method, {}};
  TRY(advance());
  call.arguments = TRY(arguments(")"));
  call.arguments.insert(call.arguments.begin(), std::move(operand));
  return make_call(std::move(call), offset);
}

base::Result<ExprPtr> Parser::make_call(Call call, std::size_t offset) {
  std::size_t place = offset;
  auto macro = expand_macro(call, place);
  if (!macro) return error(place, std::move(macro.error().message));
  if (*macro) return make(std::move(**macro), offset);
  return make(std::move(call), offset);
}

base::Result<ExprPtr> Parser::index(ExprPtr operand) {
  std::size_t offset = token_.begin;
  TRY(expect("["));
  if (token_.is("?")) return error(token_.begin, std::string(no_optionals));
  Call call{"[]", CallForm::index, {}};
  call.arguments.push_back(std::move(operand));
  call.arguments.push_back(TRY(expression()));
  TRY(expect("]"));
  return make(std::move(call), offset);
}

base::Result<ExprPtr> Parser::primary() {
  std::size_t offset = token_.begin;
  switch (token_.kind) {
    case TokenKind::integer:
    case TokenKind::uinteger:
    case TokenKind::real:
      return number(false);
    case TokenKind::string:
    case TokenKind::bytes: {
      bool bytes = token_.kind == TokenKind::bytes;
      std::string text = std::move(token_.text);
      TRY(advance());
      return make(Constant{bytes ? Value::bytes(std::move(text)) : Value::string(std::move(text))},
                  offset);
    }
    case TokenKind::identifier:
      return name(false);
    default:
      break;
  }
  if (token_.is("[")) return list_literal();
  if (token_.is("{")) return map_literal();
  if (TRY(skip("."))) return name(true);
  if (!TRY(skip("("))) return unexpected("an expression");
  ExprPtr expr = TRY(expression());
  TRY(expect(")"));
  return expr;
}

base::Result<ExprPtr> Parser::name(bool absolute) {
  std::size_t offset = token_.begin;
  if (token_.kind != TokenKind::identifier) return unexpected("a name");
  std::string name = std::move(token_.text);
  if (contains(reserved, name) || name == "in")
    return error(offset, fmt::format("'{}' is a reserved word", name));
  TRY(advance());
  if (!absolute) {
    if (name == "true" || name == "false")
      return make(Constant{Value::boolean(name == "true")}, offset);
    if (name == "null") return make(Constant{Value()}, offset);
  }
  if (!TRY(skip("("))) return make(Name{std::move(name), absolute}, offset);
  Call call{std::move(name), CallForm::function, {}};
  call.arguments = TRY(arguments(")"));
  return make_call(std::move(call), offset);
}

base::Result<ExprPtr> Parser::number(bool negative) {
  Token token = std::move(token_);
  TRY(advance());
  std::string text = (negative ? "-" : "") + token.text;
  if (token.kind == TokenKind::real)
    return make(Constant{Value::real(parse_real(text))}, token.begin);
  if (token.kind == TokenKind::integer)
    if (auto value = parse<std::int64_t>(text))
      return make(Constant{Value::integer(*value)}, token.begin);
  if (token.kind == TokenKind::uinteger)
    if (auto value = parse<std::uint64_t>(text))
      return make(Constant{Value::uinteger(*value)}, token.begin);
  return error(token.begin, fmt::format("{} does not fit 64 bits", text));
}

base::Result<ExprPtr> Parser::list_literal() {
  std::size_t offset = token_.begin;
  TRY(expect("["));
  ListLiteral node;
  node.elements = TRY(arguments("]"));
  return make(std::move(node), offset);
}

base::Result<ExprPtr> Parser::map_literal() {
  std::size_t offset = token_.begin;
  TRY(expect("{"));
  MapLiteral node;
  while (!TRY(skip("}"))) {
    if (token_.is("?")) return error(token_.begin, std::string(no_optionals));
    ExprPtr key = TRY(expression());
    TRY(expect(":"));
    ExprPtr value = TRY(expression());
    node.entries.emplace_back(std::move(key), std::move(value));
    if (!token_.is("}")) TRY(expect(","));
  }
  return make(std::move(node), offset);
}

// Expressions up to the closing symbol, which is taken; only a list may end in a comma.
base::Result<std::vector<ExprPtr>> Parser::arguments(std::string_view closing) {
  std::vector<ExprPtr> list;
  while (!TRY(skip(closing))) {
    if (token_.is("?")) return error(token_.begin, std::string(no_optionals));
    list.push_back(TRY(expression()));
    if (token_.is(closing)) continue;
    TRY(expect(","));
    if (closing == ")" && token_.is(closing)) return unexpected("an expression");
  }
  return list;
}

base::Result<> Parser::advance() {
  token_ = TRY(lexer_.next());
  return {};
}

base::Result<bool> Parser::skip(std::string_view symbol) {
  if (!token_.is(symbol)) return false;
  TRY(advance());
  return true;
}

base::Result<> Parser::expect(std::string_view symbol) {
  if (!TRY(skip(symbol))) return unexpected(fmt::format("'{}'", symbol));
  return {};
}

base::Result<ExprPtr> Parser::make(Expr::Node node, std::size_t offset) {
  ExprPtr expr = make_expr(std::move(node), offset);
  if (expr->height > base::limits::expression_depth_max) return too_deep(offset);
  return expr;
}

base::Error Parser::error(std::size_t offset, std::string message) const {
  return at(lexer_.source(), offset, base::invalid(std::move(message)));
}

base::Error Parser::too_deep(std::size_t offset) const {
  return error(offset,
               fmt::format("nested more than {} levels deep", base::limits::expression_depth_max));
}

base::Error Parser::unexpected(std::string_view wanted) const {
  std::string_view found = lexer_.source().substr(token_.begin, token_.end - token_.begin);
  if (token_.kind == TokenKind::end)
    return error(token_.begin, fmt::format("{} is missing", wanted));
  return error(token_.begin, fmt::format("'{}' where {} should be", found, wanted));
}

}  // namespace model::cel
