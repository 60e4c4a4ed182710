#include "model/cel/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "model/cel/code_points.h"
#include "model/cel/escape.h"
#include "model/cel/source.h"

namespace model::cel {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool begins_identifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool in_identifier(char c) {
  return begins_identifier(c) || is_digit(c);
}
bool in_quoted_identifier(char c) {
  return in_identifier(c) || c == '.' || c == '-' || c == '/' || c == ' ';
}

// Longer ones first.
constexpr std::array<std::string_view, 25> symbols = {
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%",
    "!",  "?",  ":",  ".",  ",",  "(",  ")", "[", "]", "{", "}", "="};

// The opening quotes of a literal: one, or three of the same.
std::string_view opening_quotes(std::string_view text) {
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return {};
  bool triple = text.size() >= 3 && text[1] == text[0] && text[2] == text[0];
  return text.substr(0, triple ? 3 : 1);
}

}  // namespace

base::Result<Token> Lexer::next() {
  skip_blank();
  if (position_ >= source_.size()) return token(TokenKind::end, source_.size(), "");
  char c = peek();
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
  if (c == '`') return quoted_identifier();
  std::size_t prefix = literal_prefix();
  if (!opening_quotes(rest().substr(prefix)).empty()) return literal(prefix);
  if (begins_identifier(c)) return identifier();
  return symbol();
}

void Lexer::skip_blank() {
  constexpr std::string_view blank = " \t\n\r\f";
  while (position_ < source_.size()) {
    if (blank.find(peek()) != std::string_view::npos) {
      ++position_;
    } else if (rest().starts_with("//")) {
      position_ = std::min(source_.find('\n', position_), source_.size());
    } else {
      return;
    }
  }
}

Token Lexer::identifier() {
  std::size_t begin = position_;
  while (in_identifier(peek())) ++position_;
  return token(TokenKind::identifier, begin, std::string(source_.substr(begin, position_ - begin)));
}

base::Result<Token> Lexer::quoted_identifier() {
  std::size_t begin = position_++;
  while (in_quoted_identifier(peek())) ++position_;
  if (peek() != '`')
    return error(position_,
                 "a name in ` ` has letters, digits, blanks and _ . - / and ends with `");
  std::string name(source_.substr(begin + 1, position_ - begin - 1));
  ++position_;
  if (name.empty()) return error(begin, "a name in ` ` is not empty");
  return token(TokenKind::quoted_identifier, begin, std::move(name));
}

base::Result<Token> Lexer::number() {
  std::size_t begin = position_;
  TokenKind kind = TokenKind::integer;
  if (peek() == '0' && peek(1) == 'x' && is_hex_digit(peek(2))) {
    position_ += 2;
    while (is_hex_digit(peek())) ++position_;
  } else {
    while (is_digit(peek())) ++position_;
    if (peek() == '.' && is_digit(peek(1))) {
      kind = TokenKind::real;
      ++position_;
      while (is_digit(peek())) ++position_;
    }
    std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
      kind = TokenKind::real;
      position_ += 1 + sign;
      while (is_digit(peek())) ++position_;
    }
  }
  std::string text(source_.substr(begin, position_ - begin));
  if (kind == TokenKind::integer && (peek() == 'u' || peek() == 'U')) {
    kind = TokenKind::uinteger;
    ++position_;
  }
  if (in_identifier(peek())) return error(begin, "a number is followed by a letter or digit");
  return token(kind, begin, std::move(text));
}

base::Result<Token> Lexer::symbol() {
  for (std::string_view symbol : symbols)
    if (rest().starts_with(symbol)) {
      position_ += symbol.size();
      return token(TokenKind::symbol, position_ - symbol.size(), std::string(symbol));
    }
  std::size_t bytes = std::max<std::size_t>(base::utf8_sequence(rest()), 1);
  return error(position_, fmt::format("'{}' has no place here", rest().substr(0, bytes)));
}

// Bytes of `b`, `r` or `br` in front of a quote.
std::size_t Lexer::literal_prefix() const {
  std::size_t length = 0;
  if (peek() == 'b' || peek() == 'B') ++length;
  if (peek(length) == 'r' || peek(length) == 'R') ++length;
  return length;
}

base::Result<Token> Lexer::literal(std::size_t prefix) {
  std::size_t begin = position_;
  std::string_view letters = source_.substr(begin, prefix);
  bool bytes = letters.find_first_of("bB") != std::string_view::npos;
  bool raw = letters.find_first_of("rR") != std::string_view::npos;
  position_ += prefix;
  std::string_view quotes = opening_quotes(rest());
  position_ += quotes.size();
  std::string text;
  while (!rest().starts_with(quotes)) {
    char c = peek();
    if (position_ >= source_.size() || (quotes.size() == 1 && (c == '\n' || c == '\r')))
      return error(begin, fmt::format("no {} ends this string", quotes));
    if (c != '\\' || raw) {
      text += c;
      ++position_;
      continue;
    }
    std::string_view escape = rest().substr(1);
    auto kind = bytes ? LiteralKind::bytes : LiteralKind::string;
    if (auto done = unescape(escape, kind, text); !done)
      return error(position_, std::move(done.error().message));
    position_ = source_.size() - escape.size();
  }
  position_ += quotes.size();
  return token(bytes ? TokenKind::bytes : TokenKind::string, begin, std::move(text));
}

Token Lexer::token(TokenKind kind, std::size_t begin, std::string text) const {
  return Token{kind, begin, position_, std::move(text)};
}

base::Error Lexer::error(std::size_t offset, std::string message) const {
  return at(source_, offset, base::invalid(std::move(message)));
}

}  // namespace model::cel
