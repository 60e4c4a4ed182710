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

base::Result<std::string> resolve_parameters(const std::vector<ParameterSpec>& declared,
                                             JsonView given, std::string_view name) {
  FieldErrors errors;
  Path root;
  Path path = root.member(name);
  if (!base::detail::expect_type(given, base::JsonType::object, path, errors))
    return std::move(errors).error();
  for (JsonView::Member member : given.members())
    if (std::none_of(declared.begin(), declared.end(), [&](const ParameterSpec& parameter) {
          return member.name.string_equals(parameter.name);
        }))
      errors.add(path.member(member.name.string()), "there is no such parameter");
  std::string resolved;
  base::JsonWriter writer(resolved);
  writer.begin_object();
  for (const ParameterSpec& parameter : declared) {
    std::optional<JsonView> value = given.find(parameter.name);
    if (value && !value->is_null()) {
      check_parameter(parameter, *value, path.member(parameter.name), errors);
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
