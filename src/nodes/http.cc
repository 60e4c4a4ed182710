// http: calls an HTTP service. Its output is {"status", "headers", "body_type", "body"}, and
// "pages" when it follows pages. Failures: http_429, http_4xx, http_5xx, …, invalid_result, and the
// kinds of net::HttpFailure.
#include <fmt/format.h>

#include <map>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "net/url.h"
#include "nodes/http_config.h"
#include "nodes/http_pages.h"
#include "nodes/node.h"

namespace nodes {

namespace {

namespace limits = base::limits;

constexpr std::size_t shown_body_bytes_max = 1024;

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  HttpConfig parsed;
  HttpConfig::fields().read(config, &parsed, path, errors);
}

// ---- the request ----

bool has_header(const HttpConfig& config, std::string_view name) {
  for (const auto& [each, value] : config.headers)
    if (base::equals_ignoring_case(each, name)) return true;
  return false;
}

base::Result<net::HttpRequest> request_of(const HttpConfig& config, const NodeContext& context) {
  net::HttpRequest request;
  request.method = base::name_of(config.method);
  request.url = TRY(config.full_url());
  for (const auto& [name, value] : config.headers) request.headers.push_back({name, value});
  auto add = [&](std::string name, std::string value) {
    if (!has_header(config, name)) request.headers.push_back({std::move(name), std::move(value)});
  };
  add("traceparent", context.traceparent);
  bool is_safe = config.method == HttpMethod::get || config.method == HttpMethod::head ||
                 config.method == HttpMethod::options;
  if (!is_safe) add("Idempotency-Key", context.idempotency_key);
  if (config.auth) request.authorization = config.auth->header();
  for (int status : {301, 302, 303, 307, 308})
    if (config.expect.accepts(status)) request.unfollowed.insert(status);
  if (!config.body) return request;
  auto body = TRY(base::JsonDocument::parse(config.body->text));
  if (body->root().is_string()) {
    request.body = body->root().string();
    add("Content-Type", "text/plain; charset=utf-8");
  } else {
    request.body = config.body->text;
    add("Content-Type", "application/json");
  }
  if (request.body.size() > limits::http_body_bytes_max) {
    std::string rule = fmt::format("must have at most {} bytes", limits::http_body_bytes_max);
    return base::invalid("/body: " + rule, {{"/body", rule}});
  }
  return request;
}

// ---- the answer ----

struct Body {
  HttpBody type = HttpBody::json;
  std::string json;  // the value
};

bool is_text(std::string_view bytes) {
  return bytes.find('\0') == bytes.npos && base::is_utf8(bytes);
}

std::string as_string(std::string_view text) {
  std::string json;
  base::append_json_string(json, text);
  return json;
}

bool says_json(const net::HttpResponse& response) {
  const std::string* type = response.header("content-type");
  if (type == nullptr) return false;
  std::string name = base::ascii_lower(base::trimmed(type->substr(0, type->find(';'))));
  return name == "application/json" || name.ends_with("+json");
}

base::Result<Body> body_of(const net::HttpResponse& response, std::optional<HttpBody> expected) {
  const std::string& bytes = response.body;
  if (!expected && bytes.empty()) return Body{HttpBody::json, "null"};
  if (expected == HttpBody::base64)
    return Body{HttpBody::base64, as_string(base::encode_base64(bytes))};
  if (expected == HttpBody::json || (!expected && says_json(response))) {
    auto document = base::JsonDocument::parse(bytes);
    if (document) return Body{HttpBody::json, std::string((*document)->root().raw())};
    if (expected) return base::invalid("the body is not JSON: " + document.error().message);
  }
  if (is_text(bytes)) return Body{HttpBody::text, as_string(bytes)};
  if (expected) return base::invalid("the body is no UTF-8 text");
  return Body{HttpBody::base64, as_string(base::encode_base64(bytes))};
}

// Headers of one name are joined as RFC 9110 does it, but for those that cannot be.
void write_headers(base::JsonWriter& out, const net::Headers& headers) {
  std::map<std::string_view, std::vector<std::string_view>> by_name;
  for (const auto& [name, value] : headers) by_name[name].push_back(value);
  out.begin_object();
  for (const auto& [name, values] : by_name) {
    out.key(name);
    if (name == "set-cookie") {
      out.begin_array();
      for (std::string_view value : values) out.string(value);
      out.end_array();
    } else {
      out.string(fmt::format("{}", fmt::join(values, ", ")));
    }
  }
  out.end_object();
}

std::string failure_kind(int status) {
  if (status == 429) return "http_429";
  return fmt::format("http_{}xx", status / 100);
}

class HttpExchange : public Exchange {
 public:
  HttpExchange(HttpConfig config, net::HttpRequest request)
      : config_(std::move(config)), request_(std::move(request)) {
    if (config_.paginate) pages_.emplace(*config_.paginate, request_);
  }

  std::variant<net::HttpRequest, Outcome> next(net::HttpEnd* last) override {
    if (last == nullptr) return begin();
    if (last->failure) return fail(last->failure->kind, last->failure->message);
    const net::HttpResponse& response = last->response;
    if (!config_.expect.accepts(response.status)) return refuse(response);
    auto expected = pages_ ? HttpBody::json : config_.expect.body;
    base::Result<Body> body = body_of(response, expected);
    if (!body) return fail("invalid_result", body.error().message);
    if (!pages_) return succeed(response, *body);
    return take_page(*last, std::move(*body));
  }

 private:
  std::variant<net::HttpRequest, Outcome> begin() {
    if (!pages_) return request_;
    auto first = pages_->begin();
    if (!first) return fail("pagination", first.error().message);
    return std::move(*first);
  }

  std::variant<net::HttpRequest, Outcome> take_page(net::HttpEnd& end, Body body) {
    auto document = base::JsonDocument::parse(std::move(body.json));
    auto following = pages_->take(end, (*document)->root());
    if (!following) return fail("pagination", following.error().message);
    if (*following) return std::move(**following);
    return succeed(end.response, {HttpBody::json, pages_->items()});
  }

  Outcome succeed(const net::HttpResponse& response, const Body& body) const {
    std::string output;
    base::JsonWriter out(output);
    out.begin_object().member("status", response.status).key("headers");
    write_headers(out, response.headers);
    out.member("body_type", base::name_of(body.type)).key("body").raw(body.json);
    if (pages_) out.member("pages", pages_->count());
    out.end_object();
    if (output.size() > limits::value_bytes_max)
      return fail("invalid_result",
                  fmt::format("the output is larger than {} bytes", limits::value_bytes_max));
    return Outcome::success(std::move(output));
  }

  Outcome refuse(const net::HttpResponse& response) const {
    std::string message = fmt::format("status {}", response.status);
    std::string_view shown = base::utf8_prefix(response.body, shown_body_bytes_max);
    if (is_text(shown) && !shown.empty()) message += fmt::format(": {}", base::trimmed(shown));
    return fail(failure_kind(response.status), message);
  }

  Outcome fail(std::string kind, const std::string& message) const {
    return Outcome::fail(std::move(kind), fmt::format("{} {}: {}", request_.method,
                                                      request_.url.without_query(), message));
  }

  const HttpConfig config_;
  const net::HttpRequest request_;
  std::optional<HttpPages> pages_;
};

base::Result<std::unique_ptr<Exchange>> converse(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<HttpConfig>(document->root()));
  net::HttpRequest request = TRY(request_of(config, context));
  return std::unique_ptr<Exchange>(
      std::make_unique<HttpExchange>(std::move(config), std::move(request)));
}

}  // namespace

extern const NodeType http;
const NodeType http{
    .info = {"http", "Calls an HTTP service", /*needs_slot=*/false, HttpConfig::fields, check},
    .converse = converse};

}  // namespace nodes
