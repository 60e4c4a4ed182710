// A value of the language. It is cheap to copy. One that comes from a JSON document is a view that
// keeps the document alive: it costs nothing until it is read, and what only passes through is
// written back as its own text, so numbers keep every digit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/cel/time.h"
#include "model/cel/type.h"

namespace model::cel {

class Budget;
struct Entry;

class Value {
 public:
  Value() = default;  // null
  static Value boolean(bool value) { return Value(value); }
  static Value integer(std::int64_t value) { return Value(value); }
  static Value uinteger(std::uint64_t value) { return Value(value); }
  static Value real(double value) { return Value(value); }
  static Value string(std::string utf8);
  static Value bytes(std::string octets);
  static Value list(std::vector<Value> elements);
  /// Keys are bool, int, uint or string, each once; 1, 1u and 1.0 are the same key.
  static Value map(std::vector<Entry> entries);
  static Value timestamp(Timestamp value) { return Value(value); }
  static Value duration(Duration value) { return Value(value); }
  static Value type(Type value) { return Value(value); }
  static Value json(std::shared_ptr<const base::JsonDocument> document);
  static Value json(std::shared_ptr<const base::JsonDocument> document, base::JsonView view);

  /// Of a JSON number: double if it has a fraction or an exponent, else int, above that uint.
  Type type() const;
  bool is(Type type) const { return this->type() == type; }
  /// The view of a value that has not been read, or nothing.
  const base::JsonView* view() const;
  /// The value itself in place of a view of a null, boolean, number or string. Lists and maps stay
  /// views. Fails for a number that fits neither 64 bits nor a double.
  base::Result<Value> read(Budget& budget) const;

  // Of a value of that type that is no view (`read` sees to that); anything else is a CHECK.
  bool as_boolean() const;
  std::int64_t as_integer() const;
  std::uint64_t as_uinteger() const;
  double as_real() const;
  const std::string& as_string() const;
  const std::string& as_bytes() const;
  Timestamp as_timestamp() const;
  Duration as_duration() const;
  Type as_type() const;

  /// Elements of a list or entries of a map.
  std::size_t size() const;
  /// Element of a list; index < size(). Goes through the list when it is a view.
  Value element(std::size_t index) const;
  /// Value of a map's key, or nothing. Goes through the map.
  std::optional<Value> find(const Value& key) const;
  std::optional<Value> find(std::string_view key) const;

 private:
  struct Bytes {
    std::shared_ptr<const std::string> octets;
  };
  struct View {
    std::shared_ptr<const base::JsonDocument> document;
    base::JsonView view;
  };
  using String = std::shared_ptr<const std::string>;
  using List = std::shared_ptr<const std::vector<Value>>;
  using Map = std::shared_ptr<const std::vector<Entry>>;
  using State = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, String,
                             Bytes, List, Map, Timestamp, Duration, Type, View>;
  friend class Cursor;

  explicit Value(State state) : state_(std::move(state)) {}
  template <class T>
  const T& get() const;
  Value sibling(base::JsonView view) const;

  State state_;
};

struct Entry {
  Value key;
  Value value;
};

/// Goes through a list or a map in order: `for (Cursor at(list); at.next();) use(at.value());`.
/// The container must outlive it.
class Cursor {
 public:
  explicit Cursor(const Value& container);
  bool next();
  bool in_map() const { return in_map_; }
  /// The index in a list, the key in a map.
  Value key() const;
  Value value() const;

 private:
  const Value& container_;
  std::size_t size_;
  bool in_map_;
  std::size_t index_ = 0;  // one past the current one
  std::optional<base::JsonView::Elements::Iterator> element_;
  std::optional<base::JsonView::Members::Iterator> member_;
};

}  // namespace model::cel
