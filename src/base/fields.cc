#include "base/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace base {

std::string Path::pointer() const {
  if (parent == nullptr) return "";
  std::string out = parent->pointer() + '/';
  if (name.data() == nullptr) return out + std::to_string(index);
  for (char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

void FieldErrors::add(std::string pointer, std::string message) {
  if (++count_ <= errors_max) errors_.push_back({std::move(pointer), std::move(message)});
}

Error FieldErrors::error() && {
  const FieldError& first = errors_.front();
  std::string text = first.path.empty() ? first.message : first.path + ": " + first.message;
  if (count_ > 1) text += fmt::format(" (and {} more)", count_ - 1);
  return invalid(std::move(text), std::move(errors_));
}

namespace {

bool is_name(std::string_view text) {
  auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > 128 || !alphanumeric(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace

const TextRule name_rule{
    "must start with a letter or digit and hold only letters, digits, '.', '_' "
    "and '-', at most 128",
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", is_name};

void Fields::read(JsonView from, void* to, const Path& path, FieldErrors& errors) const {
  if (!detail::expect_type(from, JsonType::object, path, errors)) return;
  const std::size_t errors_before = errors.count();
  std::vector<bool> seen(fields_.size());
  for (JsonView::Member member : from.members()) {
    auto field = std::find_if(fields_.begin(), fields_.end(), [&](const Field& candidate) {
      return member.name.string_equals(candidate.name);
    });
    if (field == fields_.end()) {
      errors.add(path.member(member.name.string()).pointer(), "unknown field");
    } else if (!member.value.is_null()) {  // null counts as absent
      seen[std::size_t(field - fields_.begin())] = true;
      field->type->read(member.value, field->member(to), field->limits, path.member(field->name),
                        errors);
    }
  }
  for (std::size_t i = 0; i < fields_.size(); ++i)
    if (fields_[i].is_required && !seen[i]) errors.add(path.member(fields_[i].name), "is required");
  if (check_ != nullptr && errors.count() == errors_before) check_(to, path, errors);
}

void Fields::write(JsonWriter& to, const void* from) const {
  to.begin_object();
  for (const Field& field : fields_) {
    to.key(field.name);
    field.type->write(to, field.member(const_cast<void*>(from)));
  }
  to.end_object();
}

void Fields::schema(JsonWriter& to, SchemaRefs& refs) const {
  to.begin_object();
  to.member("type", "object").member("additionalProperties", false);
  to.key("properties").begin_object();
  for (const Field& field : fields_) {
    to.key(field.name).begin_object();
    // Null counts as absent (read() above).
    if (field.is_required || field.type->inner != nullptr) {
      field.type->schema(to, field.limits, refs);
    } else {
      detail::nullable_schema(to, *field.type, field.limits, refs);
    }
    if (!field.meaning.empty()) to.member("description", field.meaning);
    if (!field.default_json.empty()) to.key("default").raw(field.default_json);
    to.end_object();
  }
  to.end_object();
  to.key("required").begin_array();
  for (const Field& field : fields_)
    if (field.is_required) to.string(field.name);
  to.end_array().end_object();
}

namespace detail {

bool expect_type(JsonView from, JsonType type, const Path& path, FieldErrors& errors) {
  if (from.type() == type) return true;
  errors.add(path,
             fmt::format("must be {}, not {}", with_article(type), with_article(from.type())));
  return false;
}

bool check_length(std::size_t length, const Limits& limits, std::string_view unit, const Path& path,
                  FieldErrors& errors) {
  if (limits.length_min && length < *limits.length_min) {
    errors.add(path, fmt::format("must have at least {} {}", *limits.length_min, unit));
    return false;
  }
  if (limits.length_max && length > *limits.length_max) {
    errors.add(path, fmt::format("must have at most {} {}", *limits.length_max, unit));
    return false;
  }
  return true;
}

void read_enum(JsonView from, std::span<const EnumName> names, int& to, const Path& path,
               FieldErrors& errors) {
  if (!expect_type(from, JsonType::string, path, errors)) return;
  std::string allowed;
  for (const EnumName& entry : names) {
    if (from.string_equals(entry.name)) {
      to = entry.value;
      return;
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(entry.name);
  }
  errors.add(path, "must be one of: " + allowed);
}

void enum_schema(JsonWriter& to, std::span<const EnumName> names) {
  to.member("type", "string").key("enum").begin_array();
  for (const EnumName& entry : names) to.string(entry.name);
  to.end_array();
}

void length_schema(JsonWriter& to, const Limits& limits, std::string_view min,
                   std::string_view max) {
  if (limits.length_min && *limits.length_min > 0) to.member(min, *limits.length_min);
  if (limits.length_max) to.member(max, *limits.length_max);
}

void ref_schema(JsonWriter& to, const Fields& fields, SchemaRefs& refs) {
  refs.insert(&fields);
  to.member("$ref", "#/components/schemas/" + std::string(fields.name()));
}

void nullable_schema(JsonWriter& to, const FieldType& inner, const Limits& limits,
                     SchemaRefs& refs) {
  to.key("anyOf").begin_array().begin_object();
  inner.schema(to, limits, refs);
  to.end_object().begin_object().member("type", "null").end_object().end_array();
}

namespace {

void read_boolean(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
  if (expect_type(from, JsonType::boolean, path, errors)) *static_cast<bool*>(to) = from.boolean();
}
void write_boolean(JsonWriter& to, const void* from) {
  to.boolean(*static_cast<const bool*>(from));
}
void boolean_schema(JsonWriter& to, const Limits&, SchemaRefs&) {
  to.member("type", "boolean");
}

template <class Number>
bool in_range(Number value, const Limits& limits, const Path& path, FieldErrors& errors) {
  if ((!limits.minimum || value >= Number(*limits.minimum)) &&
      (!limits.maximum || value <= Number(*limits.maximum)))
    return true;
  errors.add(path, limits.maximum ? fmt::format("must be from {} to {}", limits.minimum.value_or(0),
                                                *limits.maximum)
                                  : fmt::format("must be at least {}", *limits.minimum));
  return false;
}

template <class Integer>
void read_integer(JsonView from, void* to, const Limits& limits, const Path& path,
                  FieldErrors& errors) {
  if (!expect_type(from, JsonType::number, path, errors)) return;
  std::optional<std::int64_t> value = from.integer();
  if (!value || !std::in_range<Integer>(*value)) {
    errors.add(path, "must be an integer");
    return;
  }
  if (in_range(*value, limits, path, errors))
    *static_cast<Integer*>(to) = static_cast<Integer>(*value);
}
template <class Integer>
void write_integer(JsonWriter& to, const void* from) {
  to.integer(*static_cast<const Integer*>(from));
}
void range_schema(JsonWriter& to, const Limits& limits) {
  if (limits.minimum) to.member("minimum", *limits.minimum);
  if (limits.maximum) to.member("maximum", *limits.maximum);
}
void integer_schema(JsonWriter& to, const Limits& limits, SchemaRefs&) {
  to.member("type", "integer");
  range_schema(to, limits);
}

void read_double(JsonView from, void* to, const Limits& limits, const Path& path,
                 FieldErrors& errors) {
  if (!expect_type(from, JsonType::number, path, errors)) return;
  std::optional<double> value = from.number();
  if (!value) {
    errors.add(path, "must fit a double");
    return;
  }
  if (in_range(*value, limits, path, errors)) *static_cast<double*>(to) = *value;
}
void write_double(JsonWriter& to, const void* from) {
  to.number(*static_cast<const double*>(from));
}
void double_schema(JsonWriter& to, const Limits& limits, SchemaRefs&) {
  to.member("type", "number");
  range_schema(to, limits);
}

void read_text(JsonView from, void* to, const Limits& limits, const Path& path,
               FieldErrors& errors) {
  if (!expect_type(from, JsonType::string, path, errors)) return;
  std::string text = from.string();
  if (!check_length(text.size(), limits, "bytes", path, errors)) return;
  if (limits.rule != nullptr && !limits.rule->holds(text)) {
    errors.add(path, std::string(limits.rule->message));
    return;
  }
  *static_cast<std::string*>(to) = std::move(text);
}
void write_text(JsonWriter& to, const void* from) {
  to.string(*static_cast<const std::string*>(from));
}
void text_schema(JsonWriter& to, const Limits& limits, SchemaRefs&) {
  to.member("type", "string");
  length_schema(to, limits, "minLength", "maxLength");
  if (limits.rule != nullptr) to.member("pattern", limits.rule->pattern);
}

void read_raw(JsonView from, void* to, const Limits& limits, const Path& path,
              FieldErrors& errors) {
  if (check_length(from.raw().size(), limits, "bytes", path, errors))
    static_cast<RawJson*>(to)->text = from.raw();
}
void write_raw(JsonWriter& to, const void* from) {
  to.raw(static_cast<const RawJson*>(from)->text);
}
void raw_schema(JsonWriter&, const Limits&, SchemaRefs&) {}

void read_timestamp(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
  if (!expect_type(from, JsonType::string, path, errors)) return;
  std::optional<Timestamp> value = from_iso8601(from.string());
  if (!value) {
    errors.add(path, "must be a time of ISO 8601 with a zone, as 2026-01-31T08:00:00Z");
    return;
  }
  *static_cast<Timestamp*>(to) = *value;
}
void write_timestamp(JsonWriter& to, const void* from) {
  to.string(to_iso8601(*static_cast<const Timestamp*>(from)));
}
void timestamp_schema(JsonWriter& to, const Limits&, SchemaRefs&) {
  to.member("type", "string").member("format", "date-time");
}

}  // namespace
}  // namespace detail

using namespace detail;
constinit const FieldType FieldTypeOf<bool>::type{read_boolean, write_boolean, boolean_schema,
                                                  JsonType::boolean};
constinit const FieldType FieldTypeOf<int>::type{read_integer<int>, write_integer<int>,
                                                 integer_schema, JsonType::number};
constinit const FieldType FieldTypeOf<std::int64_t>::type{
    read_integer<std::int64_t>, write_integer<std::int64_t>, integer_schema, JsonType::number};
constinit const FieldType FieldTypeOf<double>::type{read_double, write_double, double_schema,
                                                    JsonType::number};
constinit const FieldType FieldTypeOf<std::string>::type{read_text, write_text, text_schema};
constinit const FieldType FieldTypeOf<RawJson>::type{read_raw, write_raw, raw_schema};
constinit const FieldType FieldTypeOf<Timestamp>::type{read_timestamp, write_timestamp,
                                                       timestamp_schema};

}  // namespace base
