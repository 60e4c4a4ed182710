// One transaction of either database, as callers see it. SQL is what both speak: `?1`, `?2`, …
// placeholders, ON CONFLICT, RETURNING; times are BIGINT microseconds, JSON is TEXT.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace store {

struct Blob {
  std::string_view bytes;
};

/// A parameter. Text and bytes are borrowed until the statement has run. Text is UTF-8 without
/// U+0000, which PostgreSQL cannot store; any other is refused with `invalid`.
class Bind {
 public:
  using Value = std::variant<std::monostate, std::int64_t, std::string_view, Blob>;

  Bind(std::nullptr_t) {}
  Bind(std::string_view text) : value_(text) {}
  Bind(const std::string& text) : value_(std::string_view(text)) {}
  Bind(const char* text) : value_(std::string_view(text)) {}
  Bind(Blob blob) : value_(blob) {}
  Bind(base::Timestamp t) : value_(base::to_us(t)) {}
  template <std::integral N>
  Bind(N n) : value_(static_cast<std::int64_t>(n)) {}
  template <class T>
  Bind(const std::optional<T>& value) : Bind(value ? Bind(*value) : Bind(T{})) {
    if (!value) value_ = std::monostate{};  // of a type, which `?1 IS NULL` alone does not tell
  }

  const Value& value() const { return value_; }
  /// Index of the alternative of Value that it has or, as NULL, would have; 0 when that is unknown.
  std::size_t type() const { return type_; }

 private:
  Value value_;
  std::size_t type_ = value_.index();
};

/// The present row of a result; columns count from 0. Views die with the row.
class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  // bytes of a blob, too

  std::string string(int column) const { return std::string(text(column)); }
  base::Timestamp timestamp(int column) const { return base::from_us(integer(column)); }
  std::optional<std::string> optional_string(int column) const {
    return is_null(column) ? std::nullopt : std::optional(string(column));
  }
  std::optional<base::Timestamp> optional_timestamp(int column) const {
    return is_null(column) ? std::nullopt : std::optional(timestamp(column));
  }
};

using RowFunction = std::function<void(const Row&)>;

class Tx {
 public:
  virtual ~Tx() = default;
  /// Runs one statement, calls `each` for every row and returns the number of rows changed. A
  /// broken unique key is `conflict`; a full disk or a lost connection `unavailable`; everything
  /// else `internal`. After an error the transaction is over: whatever follows, nothing is kept.
  virtual base::Result<std::int64_t> run(std::string_view sql, std::initializer_list<Bind> binds,
                                         const RowFunction& each = {}) = 0;
  /// Names of the tables that begin with `prefix`, in no order.
  virtual base::Result<std::vector<std::string>> table_names(std::string_view prefix) = 0;
};

}  // namespace store
