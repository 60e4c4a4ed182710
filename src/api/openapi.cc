#include "api/openapi.h"

#include <array>
#include <map>

#include "api/routes.h"
#include "base/json.h"
#include "base/limits.h"

namespace api {

namespace {

using base::Fields;
using base::JsonWriter;

constexpr std::string_view description =
    "The REST API of Dagy. Every answer carries `X-Request-Id`; errors are `{\"detail\"}`, broken "
    "fields are listed in `errors`. An unknown field is an error, null counts as absent.";

struct ErrorAnswer {
  int status;
  std::string_view meaning;
};

class DocumentWriter {
 public:
  explicit DocumentWriter(std::string& text) : out_(text) {}

  void write() {
    out_.begin_object().member("openapi", "3.1.0");
    out_.key("info").begin_object().member("title", "Dagy").member("version", DAGY_VERSION);
    out_.member("description", description);
    out_.key("license").begin_object().member("name", "Proprietary").end_object().end_object();
    out_.key("servers").begin_array();
    write_server("http://localhost:8000");
    write_server("http://localhost:8000/app");
    out_.end_array();
    write_tags();
    write_paths();
    write_components();
    out_.end_object();
  }

 private:
  void write_server(std::string_view url) { out_.begin_object().member("url", url).end_object(); }

  void write_tags() {
    out_.key("tags").begin_array();
    for (const Category& category : categories())
      out_.begin_object()
          .member("name", category.tag)
          .member("description", category.meaning)
          .end_object();
    out_.end_array();
  }

  void write_paths() {
    std::vector<std::string_view> order;
    std::map<std::string_view, std::vector<std::pair<const Category*, const Route*>>> paths;
    for (const Category& category : categories())
      for (const Route& route : category.routes) {
        auto& list = paths[route.path];
        if (list.empty()) order.push_back(route.path);
        list.emplace_back(&category, &route);
      }
    out_.key("paths").begin_object();
    for (std::string_view path : order) {
      out_.key(path).begin_object();
      for (const auto& [category, route] : paths[path]) write_operation(*category, *route);
      out_.end_object();
    }
    out_.end_object();
  }

  void write_operation(const Category& category, const Route& route) {
    out_.key(auth::normalized_email(method_name(route.method))).begin_object();
    out_.member("operationId", route.name).member("summary", route.summary);
    out_.key("tags").begin_array().string(category.tag).end_array();
    write_security(route);
    write_parameters(route);
    if (route.body != nullptr) write_body(route);
    if (route.raw_body) write_raw_body();
    write_answers(route);
    out_.end_object();
  }

  void write_security(const Route& route) {
    out_.key("security").begin_array();
    if (route.access.kind != Access::Kind::anyone)
      out_.begin_object().key("bearer").begin_array().end_array().end_object();
    out_.end_array();
    if (route.access.permission)
      out_.member("x-permission", base::name_of(*route.access.permission));
  }

  void write_parameters(const Route& route) {
    out_.key("parameters").begin_array();
    for (std::size_t at = route.path.find('{'); at != std::string_view::npos;
         at = route.path.find('{', at + 1)) {
      std::string_view name = route.path.substr(at + 1, route.path.find('}', at) - at - 1);
      out_.begin_object().member("name", name).member("in", "path").member("required", true);
      out_.key("schema").begin_object().member("type", "string").end_object().end_object();
    }
    if (route.query != nullptr)
      for (const base::Field& field : route.query().list()) write_query_parameter(field);
    if (route.takes_idempotency_key) write_idempotency_key();
    out_.end_array();
  }

  void write_query_parameter(const base::Field& field) {
    const base::FieldType& type = field.type->inner ? *field.type->inner : *field.type;
    out_.begin_object().member("name", field.name).member("in", "query");
    out_.member("description", field.meaning).member("required", field.is_required);
    out_.key("schema").begin_object();
    type.schema(out_, field.limits, refs_);
    if (!field.default_json.empty()) out_.key("default").raw(field.default_json);
    out_.end_object().end_object();
  }

  void write_idempotency_key() {
    out_.begin_object().member("name", "Idempotency-Key").member("in", "header");
    out_.member("required", false);
    out_.member("description",
                "a repeat with the same key answers the run of the first request; kept at least "
                "24 h");
    out_.key("schema").begin_object().member("type", "string").member("minLength", 1);
    out_.member("maxLength", base::limits::idempotency_key_bytes_max);
    out_.member("pattern", "^[!-~]+$").end_object().end_object();
  }

  bool body_is_required(const Route& route) const {
    for (const base::Field& field : route.body().list())
      if (field.is_required) return true;
    return false;
  }

  void write_body(const Route& route) {
    out_.key("requestBody").begin_object().member("required", body_is_required(route));
    write_content("application/json", route.body);
    out_.end_object();
  }

  void write_raw_body() {
    out_.key("requestBody").begin_object().member("required", true);
    out_.key("content").begin_object().key("application/octet-stream").begin_object();
    out_.end_object().end_object().end_object();
  }

  void write_content(std::string_view type, Description body) {
    out_.key("content").begin_object().key(type).begin_object().key("schema").begin_object();
    if (body != nullptr) base::detail::ref_schema(out_, body(), refs_);
    out_.end_object().end_object().end_object();
  }

  void write_answers(const Route& route) {
    out_.key("responses").begin_object();
    std::map<int, ErrorAnswer> errors;
    for (const ErrorAnswer& error : common_errors(route)) errors[error.status] = error;
    for (const Answers& answer : route.answers) {
      errors.erase(answer.status);
      out_.key(std::to_string(answer.status)).begin_object();
      out_.member("description", answer.meaning);
      if (answer.body != nullptr || answer.content_type != "application/json") {
        write_content(answer.content_type, answer.body);
      } else if (answer.status >= 400) {
        write_error_content();
      }
      out_.end_object();
    }
    for (const auto& [status, error] : errors) {
      out_.key(std::to_string(status)).begin_object().member("description", error.meaning);
      write_error_content();
      out_.end_object();
    }
    out_.end_object();
  }

  static std::vector<ErrorAnswer> common_errors(const Route& route) {
    std::vector<ErrorAnswer> list = {{400, "Not readable: query, cursor, header or JSON"},
                                     {500, "A fault of the server"},
                                     {503, "Busy, stopping or out of disk; Retry-After"}};
    if (route.access.kind != Access::Kind::anyone)
      list.push_back({401, "Missing, wrong or expired credential"});
    if (route.access.permission)
      list.push_back({403, "The role or the key's scopes lack the permission"});
    if (route.access.kind == Access::Kind::person)
      list.push_back({403, "An API key cannot do this"});
    if (route.rate_limited) list.push_back({429, "Too many requests; Retry-After"});
    if (route.method == Method::get) return list;
    list.push_back({413, "The body is larger than 8 MiB"});
    if (!route.raw_body) list.push_back({415, "Content-Type is not application/json"});
    list.push_back({422, "A rule is broken; errors lists the fields"});
    return list;
  }

  void write_error_content() {
    out_.key("content").begin_object().key("application/json").begin_object();
    out_.key("schema").begin_object().member("$ref", "#/components/schemas/Error").end_object();
    out_.end_object().end_object();
  }

  // Writing a schema may name further structs, so this goes on until none is new.
  void write_components() {
    out_.key("components").begin_object().key("schemas").begin_object();
    out_.key("Error").raw(
        R"({"type":"object","additionalProperties":false,"required":["detail"],"properties":{)"
        R"("detail":{"type":"string","description":"for people"},"errors":{"type":"array",)"
        R"("items":{"type":"object","required":["path","message"],"properties":{"path":{"type":)"
        R"("string","description":"RFC 6901"},"message":{"type":"string"}}}}}})");
    std::map<std::string_view, std::string> written;
    for (bool more = true; more;) {
      more = false;
      for (const Fields* fields : base::SchemaRefs(refs_)) {
        if (written.contains(fields->name())) continue;
        JsonWriter schema(written[fields->name()]);
        fields->schema(schema, refs_);
        more = true;
      }
    }
    for (const auto& [name, schema] : written) out_.key(name).raw(schema);
    out_.end_object();
    out_.key("securitySchemes").begin_object().key("bearer").begin_object();
    out_.member("type", "http").member("scheme", "bearer");
    out_.member("description", "an access token of /auth/login").end_object().end_object();
    out_.end_object();
  }

  JsonWriter out_;
  base::SchemaRefs refs_;
};

void pretty(std::string& out, base::JsonView value, std::size_t indent) {
  std::string margin(indent + 2, ' ');
  auto close = [&](char c) { out += '\n' + std::string(indent, ' ') + c; };
  if (value.is_object() && value.size() > 0) {
    char separator = '{';
    for (base::JsonView::Member member : value.members()) {
      out += std::exchange(separator, ',');
      out += '\n' + margin + std::string(member.name.raw()) + ": ";
      pretty(out, member.value, indent + 2);
    }
    close('}');
  } else if (value.is_array() && value.size() > 0) {
    char separator = '[';
    for (base::JsonView element : value.elements()) {
      out += std::exchange(separator, ',');
      out += '\n' + margin;
      pretty(out, element, indent + 2);
    }
    close(']');
  } else {
    out += value.raw();
  }
}

}  // namespace

std::string openapi_document() {
  std::string text;
  DocumentWriter(text).write();
  auto document = *base::JsonDocument::parse(std::move(text));
  std::string out;
  pretty(out, document->root(), 0);
  return out + '\n';
}

}  // namespace api
