// Parameters of PostgreSQL statements in its binary format: single values, and the arrays that
// UNNEST turns into rows. Format: the `_send` functions of the server, array_send for arrays.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "store/tx.h"

namespace store {

/// Object ids of the types that we send or read; they are fixed in the server's pg_type.dat.
namespace postgres_type {
inline constexpr unsigned unknown = 0;  // the server infers it
inline constexpr unsigned boolean = 16;
inline constexpr unsigned bytea = 17;
inline constexpr unsigned name = 19;
inline constexpr unsigned int8 = 20;
inline constexpr unsigned int2 = 21;
inline constexpr unsigned int4 = 23;
inline constexpr unsigned text = 25;
inline constexpr unsigned bytea_array = 1001;
inline constexpr unsigned text_array = 1009;
inline constexpr unsigned int8_array = 1016;
inline constexpr unsigned varchar = 1043;
}  // namespace postgres_type

/// One parameter. Text is borrowed; numbers and arrays are owned.
class PostgresValue {
 public:
  PostgresValue(const Bind& bind);
  /// The bytes of a value of that type.
  PostgresValue(unsigned type, std::string bytes) : type_(type), bytes_(std::move(bytes)) {}

  unsigned type() const { return type_; }
  bool is_null() const { return std::holds_alternative<std::monostate>(bytes_); }
  std::string_view bytes() const {
    if (auto* owned = std::get_if<std::string>(&bytes_)) return *owned;
    auto* borrowed = std::get_if<std::string_view>(&bytes_);
    return borrowed ? *borrowed : std::string_view();
  }

 private:
  unsigned type_;
  std::variant<std::monostate, std::string, std::string_view> bytes_;
};

/// A column of rows to be: an array of one dimension, each element added in turn.
class PostgresArray {
 public:
  /// `element` is int8, text or bytea.
  explicit PostgresArray(unsigned element);
  void add(std::int64_t number);
  void add(std::string_view bytes);
  void add_null();
  PostgresValue take();

 private:
  unsigned element_;
  std::int32_t count_ = 0;
  bool has_null_ = false;
  std::string bytes_;  // header and elements
};

/// The arrays of some rows: one call of `row` each, with a value for each column: a number, a time,
/// text or bytes, or an optional of these.
class PostgresColumns {
 public:
  explicit PostgresColumns(std::initializer_list<unsigned> elements);
  template <class... Values>
  void row(const Values&... values) {
    std::size_t column = 0;
    (add(columns_[column++], values), ...);
    ++rows_;
  }
  std::size_t rows() const { return rows_; }
  std::vector<PostgresValue> take();

 private:
  template <std::integral N>
  static void add(PostgresArray& column, N number) {
    column.add(static_cast<std::int64_t>(number));
  }
  static void add(PostgresArray& column, std::string_view text) { column.add(text); }
  static void add(PostgresArray& column, base::Timestamp t) { column.add(base::to_us(t)); }
  template <class T>
  static void add(PostgresArray& column, const std::optional<T>& value) {
    value ? add(column, *value) : column.add_null();
  }

  std::vector<PostgresArray> columns_;
  std::size_t rows_ = 0;
};

/// An integer of 2, 4 or 8 bytes in network order, as the server sends it.
std::int64_t read_integer(std::string_view bytes);

}  // namespace store
