// How the values of an http config that are of more than one JSON type are read and written.
#pragma once

#include <fmt/format.h>

#include <charconv>

#include "nodes/http_config.h"

template <>
struct base::FieldTypeOf<nodes::HttpStatuses> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    auto& range = *static_cast<nodes::HttpStatuses*>(to);
    std::optional<std::int64_t> status;
    if (from.type() == JsonType::number) status = from.integer();
    std::string text = from.is_string() ? from.string() : "";
    bool is_class = text.size() == 3 && text[0] >= '2' && text[0] <= '5' && text.ends_with("xx");
    if (is_class) {
      range = {(text[0] - '0') * 100, (text[0] - '0') * 100 + 99};
    } else if (status && *status >= 200 && *status <= 599) {
      range = {int(*status), int(*status)};
    } else {
      errors.add(path, "must be a status from 200 to 599, or 2xx, 3xx, 4xx or 5xx");
    }
  }
  static void write(JsonWriter& to, const void* from) {
    const auto& range = *static_cast<const nodes::HttpStatuses*>(from);
    if (range.first == range.last) {
      to.integer(range.first);
    } else {
      to.string(fmt::format("{}xx", range.first / 100));
    }
  }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs&) {
    to.key("oneOf").raw(
        R"([{"type":"integer","minimum":200,"maximum":599},{"enum":["2xx","3xx","4xx","5xx"]}])");
  }
  static constexpr FieldType type{read, write, schema};
};

template <>
struct base::FieldTypeOf<nodes::HttpQueryValue> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    auto& texts = static_cast<nodes::HttpQueryValue*>(to)->texts;
    texts.clear();
    auto add = [&](JsonView value, const Path& at) {
      if (value.is_string()) {
        texts.push_back(value.string());
      } else if (value.type() == JsonType::number || value.type() == JsonType::boolean) {
        texts.emplace_back(value.raw());
      } else {
        errors.add(at, "must be a string, a number, a boolean or a list of them");
      }
    };
    if (!from.is_array()) return add(from, path);
    if (from.size() > 1000) return errors.add(path, "must have at most 1000 elements");
    std::size_t i = 0;
    for (JsonView element : from.elements()) add(element, path.element(i++));
  }
  static void write(JsonWriter& to, const void* from) {
    field_type<std::vector<std::string>>().write(
        to, &static_cast<const nodes::HttpQueryValue*>(from)->texts);
  }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs&) {
    to.key("oneOf").raw(
        R"([{"type":["string","number","boolean"]},)"
        R"({"type":"array","items":{"type":["string","number","boolean"]},"maxItems":1000}])");
  }
  static constexpr FieldType type{read, write, schema};
};
