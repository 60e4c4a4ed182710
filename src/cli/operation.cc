#include "cli/operation.h"

#include "base/json.h"

namespace cli {

namespace {

// The JSON type that the schema of a field names; an optional one beside null.
std::string_view schema_type(base::JsonView schema) {
  static constexpr std::string_view names[] = {"string",  "integer", "number",
                                               "boolean", "array",   "object"};
  std::optional<base::JsonView> type = schema.find("type");
  if (!type) return "";
  for (std::string_view name : names) {
    if (type->is_string() && type->string_equals(name)) return name;
    if (!type->is_array()) continue;
    for (base::JsonView each : type->elements())
      if (each.string_equals(name)) return name;
  }
  return "";
}

}  // namespace

FlagKind flag_kind(const base::Field& field) {
  const base::FieldType& type = field.type->inner != nullptr ? *field.type->inner : *field.type;
  if (type.wire == base::JsonType::boolean) return FlagKind::boolean;
  if (type.wire == base::JsonType::number) return FlagKind::json_scalar;
  std::string text;
  base::JsonWriter writer(text);
  base::SchemaRefs refs;
  writer.begin_object();
  type.schema(writer, field.limits, refs);
  writer.end_object();
  auto document = base::JsonDocument::parse(std::move(text));
  if (!document) return FlagKind::json;
  base::JsonView schema = (*document)->root();
  std::string_view name = schema_type(schema);
  if (name == "string" || schema.find("enum")) return FlagKind::text;
  if (name != "array") return FlagKind::json;
  std::optional<base::JsonView> items = schema.find("items");
  bool of_text = items && (schema_type(*items) == "string" || items->find("enum"));
  return of_text ? FlagKind::text_list : FlagKind::json;
}

bool is_secret(const Operation& operation, const base::Field& field) {
  auto has = [&](std::string_view part) { return field.name.find(part) != std::string_view::npos; };
  if (field.name == "next_token") return false;
  return has("password") || has("secret") || has("token") ||
         (field.name == "value" && operation.path.starts_with("/secrets"));
}

const base::Fields* element_fields(const base::Field& field) {
  std::string text;
  base::JsonWriter writer(text);
  base::SchemaRefs refs;
  field.type->schema(writer, field.limits, refs);
  return refs.size() == 1 ? *refs.begin() : nullptr;
}

}  // namespace cli
