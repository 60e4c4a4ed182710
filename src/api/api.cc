#include "api/api.h"

#include <fmt/format.h>

#include "base/log.h"
#include "net/gzip.h"
#include "net/url.h"

namespace api {

namespace {

constexpr std::string_view bearer = "Bearer ";

bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type.size() == 16 && auth::normalized_email(type) == "application/json";
}

base::Result<std::unique_ptr<const base::JsonDocument>> parse_body(const Route& route,
                                                                   const net::Request& request) {
  if (request.body.empty() || route.raw_body) return base::JsonDocument::parse("{}");
  if (route.body == nullptr && request.body.find_first_not_of(" \r\n\t") != std::string::npos &&
      route.method == Method::get)
    return base::malformed("this request takes no body");
  if (!is_json(request.header("content-type")))
    return base::Error{base::ErrorCode::unsupported_media, "Content-Type must be application/json"};
  return base::JsonDocument::parse(request.body);
}

const base::Field* find_field(const base::Fields& fields, std::string_view name) {
  for (const base::Field& field : fields.list())
    if (field.name == name) return &field;
  return nullptr;
}

bool is_json_integer(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  return text.front() != '0' || text.size() == 1;
}

// Numbers and booleans of a query are written as JSON has them; everything else is text.
bool stands_for_itself(const base::Field& field, std::string_view value) {
  const base::FieldType& type = field.type->inner ? *field.type->inner : *field.type;
  if (type.wire == base::JsonType::boolean) return value == "true" || value == "false";
  return type.wire == base::JsonType::number && is_json_integer(value);
}

// A query is read like a body: its pairs become the members of an object, text or number as the
// field wants it.
base::Result<std::unique_ptr<const base::JsonDocument>> parse_query(const Route& route,
                                                                    const net::Request& request) {
  if (request.query.size() > base::limits::query_bytes_max)
    return base::malformed(
        fmt::format("the query must have at most {} bytes", base::limits::query_bytes_max));
  net::QueryPairs pairs = TRY(net::parse_query(request.query));
  std::string text;
  base::JsonWriter out(text);
  out.begin_object();
  for (const auto& [name, value] : pairs) {
    const base::Field* field = route.query ? find_field(route.query(), name) : nullptr;
    if (field == nullptr)
      return base::Error{base::ErrorCode::malformed,
                         fmt::format("unknown query parameter '{}'", name),
                         {{"/" + name, "unknown query parameter"}}};
    out.key(name);
    if (stands_for_itself(*field, value)) {
      out.raw(value);
    } else {
      out.string(value);
    }
  }
  out.end_object();
  auto document = base::JsonDocument::parse(std::move(text));
  if (!document) return base::malformed("a name stands twice in the query");
  return document;
}

// Here and not in later answers: those come from the thread of the engine.
void compress(const net::Request& request, net::Response& response) {
  if (response.body.size() < base::limits::gzip_answer_bytes_min) return;
  response.headers.push_back({"Vary", "Accept-Encoding"});
  if (!net::accepts_gzip(request.header("accept-encoding"))) return;
  response.body = net::gzip(response.body);
  response.headers.push_back({"Content-Encoding", "gzip"});
}

// A mutation without a described body takes none but an empty object.
base::Result<> refuse_unexpected_body(const Route& route, const base::JsonDocument& body) {
  if (route.body != nullptr) return {};
  if (body.root().is_object() && body.root().size() == 0) return {};
  return base::invalid("this request takes no body");
}

}  // namespace

Api::Api(Services services) : services_(std::move(services)), router_(categories()) {}

net::Response Api::error_page(int status, std::string_view message) {
  net::Response response = error_response({base::ErrorCode::internal, std::string(message)});
  response.status = status;
  return response;
}

void Api::handle(net::Request request, net::Responder responder) const {
  request.client_ip = services_.proxies.client_of(request);
  std::vector<net::Header> headers;
  base::Result<Reply> reply = dispatch(request, headers);
  Answer answer(std::move(responder), std::move(headers));
  if (!reply) {
    if (reply.error().code == base::ErrorCode::internal) {
      base::log_error("request failed",
                      {{"request_id", request.request_id}, {"error", reply.error().message}});
      return answer.send_error(
          base::internal_error("internal error; see the server's log for " + request.request_id));
    }
    return answer.send_error(reply.error());
  }
  if (reply->later) return reply->later(std::move(answer));
  compress(request, reply->response);
  answer.send(std::move(reply->response));
}

base::Result<Reply> Api::dispatch(const net::Request& request,
                                  std::vector<net::Header>& headers) const {
  base::Result<Router::Match> match = router_.find(request.method, request.path);
  const Route* route = match ? match->route : nullptr;
  base::Result<auth::Identity> caller = identify(route, request);
  TRY(limit_rate(route, request, caller, headers));
  if (!match) return std::move(match).error();
  if (route == nullptr) {
    headers.push_back({"Allow", match->allow});
    return base::Error{base::ErrorCode::method_not_allowed, "this path takes " + match->allow};
  }
  Call call{services_, *route, request, std::move(match->path), {}, nullptr, nullptr};
  call.identity = TRY(authorize(*route, std::move(caller)));
  auto query = TRY(parse_query(*route, request));
  auto body = TRY(parse_body(*route, request));
  TRY(refuse_unexpected_body(*route, *body));
  call.query = query.get();
  call.body = body.get();
  return route->handler(call);
}

base::Result<> Api::limit_rate(const Route* route, const net::Request& request,
                               const base::Result<auth::Identity>& caller,
                               std::vector<net::Header>& headers) const {
  auth::RateLimit& limit = services_.rate_limit;
  if (!limit.is_on() || (route != nullptr && !route->rate_limited)) return {};
  bool has_key = caller && !caller->api_key_id.empty();
  auth::RateLimit::Verdict verdict = limit.take(has_key ? caller->api_key_id : request.client_ip);
  headers.push_back({"X-RateLimit-Limit", std::to_string(limit.per_minute())});
  headers.push_back({"X-RateLimit-Remaining", std::to_string(verdict.remaining)});
  if (verdict.allowed) return {};
  return base::Error{
      base::ErrorCode::too_many, "too many requests", {}, verdict.retry_after_seconds};
}

base::Result<auth::Identity> Api::identify(const Route* route, const net::Request& request) const {
  std::string_view header = request.header("authorization");
  bool is_public = route != nullptr && route->access.kind == Access::Kind::anyone;
  if (is_public || !header.starts_with(bearer))
    return base::Error{base::ErrorCode::unauthenticated, "Authorization: Bearer <token> is needed"};
  return services_.authenticator.authenticate(std::string(header.substr(bearer.size())));
}

base::Result<std::optional<auth::Identity>> Api::authorize(
    const Route& route, base::Result<auth::Identity> caller) const {
  if (route.access.kind == Access::Kind::anyone) return std::optional<auth::Identity>();
  auth::Identity identity = TRY(std::move(caller));
  auto refused = [](std::string why) {
    return base::Error{base::ErrorCode::forbidden, std::move(why)};
  };
  if (route.access.kind == Access::Kind::person && !identity.api_key_id.empty())
    return refused("an API key cannot do this: sign in");
  if (!route.access.permission) return std::optional(std::move(identity));
  model::Permission needed = *route.access.permission;
  if (!model::has_permission(identity.role, needed))
    return refused(fmt::format("role {} lacks the permission {}", base::name_of(identity.role),
                               base::name_of(needed)));
  if (!identity.scopes.allows(needed))
    return refused(fmt::format("the API key lacks the scope {}", base::name_of(needed)));
  return std::optional(std::move(identity));
}

}  // namespace api
