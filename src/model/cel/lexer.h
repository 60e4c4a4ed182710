// The text of an expression as tokens. Source: CEL language definition, "Syntax".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace model::cel {

enum class TokenKind {
  identifier,
  quoted_identifier,  // `any-name`, without its quotes
  integer,            // digits or 0x…, without suffix
  uinteger,
  real,
  string,  // decoded
  bytes,   // decoded
  symbol,  // operators and brackets
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::size_t begin = 0;  // byte of the source
  std::size_t end = 0;
  std::string text = {};

  bool is(std::string_view symbol) const { return kind == TokenKind::symbol && text == symbol; }
};

class Lexer {
 public:
  explicit Lexer(std::string_view source, std::size_t begin = 0)
      : source_(source), position_(begin) {}

  /// The next token, or an error with its place. At the end always `end`.
  base::Result<Token> next();
  std::string_view source() const { return source_; }

 private:
  void skip_blank();
  base::Result<Token> quoted_identifier();
  base::Result<Token> number();
  base::Result<Token> symbol();
  Token identifier();
  std::size_t literal_prefix() const;
  base::Result<Token> literal(std::size_t prefix);
  Token token(TokenKind kind, std::size_t begin, std::string text) const;
  base::Error error(std::size_t offset, std::string message) const;

  char peek(std::size_t ahead = 0) const {
    return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0';
  }
  std::string_view rest() const { return source_.substr(position_); }

  std::string_view source_;
  std::size_t position_;
};

}  // namespace model::cel
