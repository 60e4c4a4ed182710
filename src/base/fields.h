// Described structs: each wire struct lists its fields once (`fields()`: name, member, meaning,
// limits), and from that list come parsing with every error's path, output and JSON Schema. The
// core is type-erased so that a struct costs little compile time. Example to copy: api/auth.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/result.h"

namespace base {

/// Where in a document we are; printed as an RFC 6901 pointer only when something is wrong.
struct Path {
  const Path* parent = nullptr;
  std::string_view name = {};
  std::size_t index = 0;

  Path member(std::string_view member_name) const { return {this, member_name, 0}; }
  Path element(std::size_t element_index) const { return {this, {}, element_index}; }
  std::string pointer() const;
};

/// Collects broken rules; beyond `errors_max` they are only counted.
class FieldErrors {
 public:
  static constexpr std::size_t errors_max = 100;
  void add(const Path& path, std::string message) { add(path.pointer(), std::move(message)); }
  void add(std::string pointer, std::string message);
  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  /// Error `invalid` with all of them; its message names the first.
  Error error() &&;

 private:
  std::vector<FieldError> errors_;
  std::size_t count_ = 0;
};

/// A named rule for text, as `[A-Za-z0-9]…` of names.
struct TextRule {
  std::string_view message;  // "must be …"
  std::string_view pattern;  // ECMA 262, for the schema
  bool (*holds)(std::string_view);
};
/// Names of rest-api.md: [A-Za-z0-9][A-Za-z0-9._-]{0,127}.
extern const TextRule name_rule;

struct Limits {
  std::optional<std::int64_t> minimum, maximum;       // of a number
  std::optional<std::size_t> length_min, length_max;  // bytes of text, elements of a list or map
  const TextRule* rule = nullptr;
};

class Fields;
/// Structs met while writing a schema, to become its components.
using SchemaRefs = std::set<const Fields*>;

/// How one C++ type is read, written and described. One instance a type.
struct FieldType {
  void (*read)(JsonView from, void* to, const Limits&, const Path&, FieldErrors&);
  void (*write)(JsonWriter& to, const void* from);
  /// Members of a JSON Schema object, without braces.
  void (*schema)(JsonWriter& to, const Limits&, SchemaRefs&);
  /// What a value looks like in JSON; tells a query's `limit=5` (a number) from `q=5` (text).
  JsonType wire = JsonType::string;
  const FieldType* inner = nullptr;  // of an optional; its `wire` counts
};

class Field {
 public:
  std::string_view name;
  std::string_view meaning;
  const FieldType* type;
  void* (*member)(void* object);
  bool is_required = false;
  Limits limits = {};
  std::string_view default_json = {};  // for the schema

  Field& required() {
    is_required = true;
    return *this;
  }
  Field& length(std::size_t min, std::size_t max) {
    limits.length_min = min;
    limits.length_max = max;
    return *this;
  }
  Field& range(std::int64_t min, std::int64_t max) {
    limits.minimum = min;
    limits.maximum = max;
    return *this;
  }
  Field& rule(const TextRule& text_rule) {
    limits.rule = &text_rule;
    return *this;
  }
  Field& defaults_to(std::string_view json) {
    default_json = json;
    return *this;
  }
};

/// The description of one struct.
class Fields {
 public:
  /// Checks across fields, called when the fields themselves are right.
  using Check = void (*)(const void* object, const Path&, FieldErrors&);

  Fields(std::string_view name, std::vector<Field> fields, Check check = nullptr)
      : name_(name), fields_(std::move(fields)), check_(check) {}

  std::string_view name() const { return name_; }
  const std::vector<Field>& list() const { return fields_; }
  void read(JsonView from, void* to, const Path&, FieldErrors&) const;
  void write(JsonWriter& to, const void* from) const;
  /// The struct's own schema object; structs it uses are added to `refs`.
  void schema(JsonWriter& to, SchemaRefs& refs) const;

 private:
  std::string_view name_;
  std::vector<Field> fields_;
  Check check_;
};

template <class T>
concept Described = requires {
  { T::fields() } -> std::same_as<const Fields&>;
};

/// An enum with a table of names, found by argument-dependent lookup:
/// `std::span<const EnumName> enum_names(Colour)`.
struct EnumName {
  int value;
  std::string_view name;
};
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires(T value) {
  enum_names(value);
};

template <NamedEnum T>
std::string_view name_of(T value) {
  for (const EnumName& entry : enum_names(value))
    if (entry.value == static_cast<int>(value)) return entry.name;
  return "";
}
template <NamedEnum T>
std::optional<T> enum_from_name(std::string_view name) {
  for (const EnumName& entry : enum_names(T{}))
    if (entry.name == name) return static_cast<T>(entry.value);
  return std::nullopt;
}

/// A type of its own reading and writing specialises this with `static const FieldType type`.
template <class T>
struct FieldTypeOf;

template <class T>
const FieldType& field_type() {
  return FieldTypeOf<T>::type;
}

/// Parses a struct; error `invalid` lists every broken rule with its path.
template <Described T>
Result<T> read_struct(JsonView from) {
  T object;
  FieldErrors errors;
  T::fields().read(from, &object, Path{}, errors);
  if (!errors.empty()) return std::move(errors).error();
  return object;
}
template <Described T>
std::string write_struct(const T& object) {
  std::string out;
  JsonWriter writer(out);
  T::fields().write(writer, &object);
  return out;
}

// ---- type-erased pieces behind the templates below ----

namespace detail {
bool expect_type(JsonView from, JsonType type, const Path&, FieldErrors&);
bool check_length(std::size_t length, const Limits&, std::string_view unit, const Path&,
                  FieldErrors&);
void read_enum(JsonView from, std::span<const EnumName>, int& to, const Path&, FieldErrors&);
void enum_schema(JsonWriter& to, std::span<const EnumName>);
void length_schema(JsonWriter& to, const Limits&, std::string_view min, std::string_view max);
void ref_schema(JsonWriter& to, const Fields&, SchemaRefs&);
/// {"anyOf": [inner, {"type": "null"}]}, or "type": [inner, "null"] where inner is one plain type.
void nullable_schema(JsonWriter& to, const FieldType& inner, const Limits&, SchemaRefs&);
}  // namespace detail

#define BASE_FIELD_TYPE(T)       \
  template <>                    \
  struct FieldTypeOf<T> {        \
    static const FieldType type; \
  }
BASE_FIELD_TYPE(bool);
BASE_FIELD_TYPE(int);
BASE_FIELD_TYPE(std::int64_t);
BASE_FIELD_TYPE(double);
BASE_FIELD_TYPE(std::string);
BASE_FIELD_TYPE(RawJson);
BASE_FIELD_TYPE(Timestamp);

template <Described T>
struct FieldTypeOf<T> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    T::fields().read(from, to, path, errors);
  }
  static void write(JsonWriter& to, const void* from) { T::fields().write(to, from); }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs& refs) {
    detail::ref_schema(to, T::fields(), refs);
  }
  static constexpr FieldType type{read, write, schema};
};

template <NamedEnum T>
struct FieldTypeOf<T> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    int value = static_cast<int>(*static_cast<T*>(to));
    detail::read_enum(from, enum_names(T{}), value, path, errors);
    *static_cast<T*>(to) = static_cast<T>(value);
  }
  static void write(JsonWriter& to, const void* from) {
    to.string(name_of(*static_cast<const T*>(from)));
  }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs&) {
    detail::enum_schema(to, enum_names(T{}));
  }
  static constexpr FieldType type{read, write, schema};
};

template <class T>
struct FieldTypeOf<std::optional<T>> {
  static void read(JsonView from, void* to, const Limits& limits, const Path& path,
                   FieldErrors& errors) {
    auto& value = *static_cast<std::optional<T>*>(to);
    if (from.is_null()) {
      value.reset();
      return;
    }
    field_type<T>().read(from, &value.emplace(), limits, path, errors);
  }
  static void write(JsonWriter& to, const void* from) {
    const auto& value = *static_cast<const std::optional<T>*>(from);
    if (value) {
      field_type<T>().write(to, &*value);
    } else {
      to.null();
    }
  }
  static void schema(JsonWriter& to, const Limits& limits, SchemaRefs& refs) {
    detail::nullable_schema(to, field_type<T>(), limits, refs);
  }
  static constexpr FieldType type{read, write, schema, JsonType::null, &FieldTypeOf<T>::type};
};

template <class T>
struct FieldTypeOf<std::vector<T>> {
  static void read(JsonView from, void* to, const Limits& limits, const Path& path,
                   FieldErrors& errors) {
    auto& list = *static_cast<std::vector<T>*>(to);
    list.clear();
    if (!detail::expect_type(from, JsonType::array, path, errors) ||
        !detail::check_length(from.size(), limits, "elements", path, errors))
      return;
    list.reserve(from.size());
    for (JsonView element : from.elements()) {
      Path here = path.element(list.size());
      field_type<T>().read(element, &list.emplace_back(), {}, here, errors);
    }
  }
  static void write(JsonWriter& to, const void* from) {
    to.begin_array();
    for (const T& element : *static_cast<const std::vector<T>*>(from))
      field_type<T>().write(to, &element);
    to.end_array();
  }
  static void schema(JsonWriter& to, const Limits& limits, SchemaRefs& refs) {
    to.member("type", "array");
    detail::length_schema(to, limits, "minItems", "maxItems");
    to.key("items").begin_object();
    field_type<T>().schema(to, {}, refs);
    to.end_object();
  }
  static constexpr FieldType type{read, write, schema};
};

template <class T>
struct FieldTypeOf<std::map<std::string, T>> {
  static void read(JsonView from, void* to, const Limits& limits, const Path& path,
                   FieldErrors& errors) {
    auto& map = *static_cast<std::map<std::string, T>*>(to);
    map.clear();
    if (!detail::expect_type(from, JsonType::object, path, errors) ||
        !detail::check_length(from.size(), limits, "members", path, errors))
      return;
    for (JsonView::Member member : from.members()) {
      std::string name = member.name.string();
      Path here = path.member(name);
      field_type<T>().read(member.value, &map[name], {}, here, errors);
    }
  }
  static void write(JsonWriter& to, const void* from) {
    to.begin_object();
    for (const auto& [name, value] : *static_cast<const std::map<std::string, T>*>(from)) {
      to.key(name);
      field_type<T>().write(to, &value);
    }
    to.end_object();
  }
  static void schema(JsonWriter& to, const Limits& limits, SchemaRefs& refs) {
    to.member("type", "object");
    detail::length_schema(to, limits, "minProperties", "maxProperties");
    to.key("additionalProperties").begin_object();
    field_type<T>().schema(to, {}, refs);
    to.end_object();
  }
  static constexpr FieldType type{read, write, schema};
};

template <auto Member>
struct MemberOf;
template <class Struct, class T, T Struct::*Member>
struct MemberOf<Member> {
  using Type = T;
  static void* get(void* object) { return &(static_cast<Struct*>(object)->*Member); }
};

/// One line of a description: `field<&Login::email>("email", "address of the account")`.
template <auto Member>
Field field(std::string_view name, std::string_view meaning) {
  using M = MemberOf<Member>;
  return Field{name, meaning, &field_type<typename M::Type>(), M::get};
}

}  // namespace base
