// Values of parameters: their types, and what a run is given.
#include "model/parameters.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"

namespace model {

using base::FieldErrors;
using base::JsonView;
using base::Path;

namespace {

bool matches_type(JsonView value, ParameterType type) {
  switch (type) {
    case ParameterType::string:
      return value.is_string();
    case ParameterType::integer:
      return value.type() == base::JsonType::number &&
             (value.integer() || value.raw().find_first_of(".eE") == std::string_view::npos);
    case ParameterType::number:
      return value.type() == base::JsonType::number;
    case ParameterType::boolean:
      return value.type() == base::JsonType::boolean;
    case ParameterType::object:
      return value.is_object();
    case ParameterType::array:
      return value.is_array();
  }
  return false;
}

std::string canonical(JsonView value) {
  std::string text;
  base::append_canonical_json(text, value);
  return text;
}

}  // namespace

void check_parameter(const ParameterSpec& parameter, JsonView value, const Path& path,
                     FieldErrors& errors) {
  if (!matches_type(value, parameter.type)) {
    errors.add(path, fmt::format("must be of type {}, not {}", base::name_of(parameter.type),
                                 with_article(value.type())));
    return;
  }
  if (!parameter.enumeration) return;
  std::string text = canonical(value);
  for (const base::RawJson& allowed : *parameter.enumeration)
    if (canonical((*base::JsonDocument::parse(allowed.text))->root()) == text) return;
  errors.add(path, "must be one of the values of its enum");
}

void check_given(const std::vector<ParameterSpec>& declared, JsonView given, const Path& path,
                 FieldErrors& errors) {
  if (!base::detail::expect_type(given, base::JsonType::object, path, errors)) return;
  for (JsonView::Member member : given.members()) {
    std::string name = member.name.string();
    auto parameter = std::find_if(declared.begin(), declared.end(),
                                  [&](const ParameterSpec& each) { return each.name == name; });
    if (parameter == declared.end()) {
      errors.add(path.member(name), "there is no such parameter");
    } else if (!member.value.is_null()) {
      check_parameter(*parameter, member.value, path.member(name), errors);
    }
  }
}

base::Result<std::string> resolve_parameters(const std::vector<ParameterSpec>& declared,
                                             JsonView given, std::string_view name) {
  FieldErrors errors;
  Path root;
  Path path = root.member(name);
  check_given(declared, given, path, errors);
  if (!given.is_object()) return std::move(errors).error();
  std::string resolved;
  base::JsonWriter writer(resolved);
  writer.begin_object();
  for (const ParameterSpec& parameter : declared) {
    std::optional<JsonView> value = given.find(parameter.name);
    if (value && !value->is_null()) {
      writer.key(parameter.name).raw(value->raw());
    } else if (parameter.default_value) {
      writer.key(parameter.name).raw(parameter.default_value->text);
    } else if (parameter.required) {
      errors.add(path.member(parameter.name), "is required");
    } else {
      writer.key(parameter.name).null();
    }
  }
  writer.end_object();
  if (resolved.size() > base::limits::parameters_bytes_max)
    errors.add(path, fmt::format("must have at most {} bytes", base::limits::parameters_bytes_max));
  if (!errors.empty()) return std::move(errors).error();
  return resolved;
}

}  // namespace model
