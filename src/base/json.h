// A strict JSON reader that keeps the text. A document is parsed once into a flat table of spans;
// values are views into the text, so what only passes through (parameters, inputs, outputs) is
// never re-printed and numbers keep every digit. Decision: docs/decisions/0002-json-as-text.md.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace base {

enum class JsonType : std::uint8_t { null, boolean, number, string, array, object };

/// "an object", "a string", … for messages.
std::string_view with_article(JsonType type);

/// One value of a document. Valid as long as its JsonDocument. Cheap to copy.
class JsonView {
 public:
  JsonType type() const;
  bool is_null() const { return type() == JsonType::null; }
  bool is_object() const { return type() == JsonType::object; }
  bool is_array() const { return type() == JsonType::array; }
  bool is_string() const { return type() == JsonType::string; }
  /// The value's text as it was sent.
  std::string_view raw() const;

  bool boolean() const;
  /// Decoded text of a string.
  std::string string() const;
  bool string_equals(std::string_view text) const;
  /// Exact integer value of a number ("7", "7.0", "7e0"); nothing if it has a fraction or does not
  /// fit 64 bits.
  std::optional<std::int64_t> integer() const;
  /// Nearest double of a number; nothing when out of range.
  std::optional<double> number() const;

  /// Elements of an array or members of an object.
  std::size_t size() const;
  /// Member of an object by decoded name, or nothing.
  std::optional<JsonView> find(std::string_view name) const;
  /// RFC 6901 pointer ("" is the value itself); nothing if it names no value or is not a pointer.
  std::optional<JsonView> at_pointer(std::string_view pointer) const;

  /// Iterates an array's elements: `for (JsonView element : view.elements())`.
  class Elements;
  Elements elements() const;
  struct Member;
  /// Iterates an object's members in the order sent.
  class Members;
  Members members() const;

 private:
  friend class JsonDocument;
  JsonView(const class JsonDocument* document, std::uint32_t index)
      : document_(document), index_(index) {}
  std::uint32_t next() const;

  const JsonDocument* document_;
  std::uint32_t index_;
};

struct JsonView::Member {
  JsonView name;
  JsonView value;
};

class JsonView::Elements {
 public:
  struct Iterator {
    JsonView view;
    JsonView operator*() const { return view; }
    Iterator& operator++() {
      view.index_ = view.next();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return view.index_ != other.view.index_; }
  };
  explicit Elements(JsonView array) : array_(array) {}
  Iterator begin() const { return {{array_.document_, array_.index_ + 1}}; }
  Iterator end() const { return {{array_.document_, array_.next()}}; }

 private:
  JsonView array_;
};

class JsonView::Members {
 public:
  struct Iterator {
    JsonView name;
    Member operator*() const { return {name, {name.document_, name.index_ + 1}}; }
    Iterator& operator++() {
      name.index_ = JsonView(name.document_, name.index_ + 1).next();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return name.index_ != other.name.index_; }
  };
  explicit Members(JsonView object) : object_(object) {}
  Iterator begin() const { return {{object_.document_, object_.index_ + 1}}; }
  Iterator end() const { return {{object_.document_, object_.next()}}; }

 private:
  JsonView object_;
};

/// Owns text and table. Movable; views point at the document, so they die when it is moved.
class JsonDocument {
 public:
  /// RFC 8259, UTF-8 only, no U+0000, no duplicate names, no byte order mark. Error `malformed`
  /// tells the byte offset and what was expected.
  static Result<std::unique_ptr<const JsonDocument>> parse(
      std::string text, std::size_t depth_max = limits::json_depth_max);

  JsonView root() const { return {this, 0}; }
  const std::string& text() const { return text_; }

 private:
  friend class JsonView;
  friend class JsonParser;
  struct Node {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t next;   // index of the node after this subtree
    std::uint32_t count;  // elements or members
    JsonType type;
    bool escaped;  // a string with at least one backslash
  };

  std::string text_;
  std::vector<Node> nodes_;
};

/// Decodes the inside of a JSON string, without its quotes, that a parser has accepted.
std::string unescape_json_string(std::string_view body);

/// A value in canonical form: members sorted by name, no white space, strings minimally escaped,
/// numbers as sent. Objects of the outermost `null_free_levels` leave out members that are null:
/// the described ones, where null counts as absent.
void append_canonical_json(std::string& out, JsonView value, int null_free_levels = 0);

/// JSON text that some reader has validated already.
struct RawJson {
  std::string text = "null";
  bool operator==(const RawJson&) const = default;
};

}  // namespace base
