#include "cli/api_client.h"

#include <fmt/format.h>

#include <charconv>
#include <thread>

#include "base/limits.h"

namespace cli {

namespace limits = base::limits;

namespace {

constexpr int retry_after_seconds_max = 300;

base::ErrorCode code_of(int status) {
  switch (status) {
    case 400:
      return base::ErrorCode::malformed;
    case 401:
      return base::ErrorCode::unauthenticated;
    case 402:
      return base::ErrorCode::payment_required;
    case 403:
      return base::ErrorCode::forbidden;
    case 404:
      return base::ErrorCode::not_found;
    case 405:
      return base::ErrorCode::method_not_allowed;
    case 409:
      return base::ErrorCode::conflict;
    case 413:
      return base::ErrorCode::too_large;
    case 415:
      return base::ErrorCode::unsupported_media;
    case 422:
      return base::ErrorCode::invalid;
    case 429:
      return base::ErrorCode::too_many;
    case 502:
      return base::ErrorCode::upstream;
    case 503:
      return base::ErrorCode::unavailable;
    case 504:
      return base::ErrorCode::timeout;
    default:
      return base::ErrorCode::internal;
  }
}

// An answer that is not Dagy's own says so: the address may be another program's.
base::Error error_of(const net::SessionResponse& response, std::string_view url) {
  base::Error error{code_of(response.status), ""};
  auto document = base::JsonDocument::parse(response.body);
  std::optional<base::JsonView> detail;
  if (document && (*document)->root().is_object()) detail = (*document)->root().find("detail");
  if (!detail || !detail->is_string()) {
    error.message = fmt::format("{} answers {}, but not as Dagy does", url, response.status);
    if (response.status < 500) error.code = base::ErrorCode::upstream;
    return error;
  }
  error.message = detail->string();
  std::optional<base::JsonView> fields = (*document)->root().find("errors");
  if (!fields || !fields->is_array()) return error;
  for (base::JsonView field : fields->elements()) {
    auto path = field.find("path"), message = field.find("message");
    if (path && message) error.fields.push_back({path->string(), message->string()});
  }
  return error;
}

int retry_after(const net::SessionResponse& response) {
  int seconds = 1;
  std::string_view text = response.header("retry-after");
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return std::clamp(seconds, 1, retry_after_seconds_max);
}

}  // namespace

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
    if (is_unreserved) {
      out += static_cast<char>(c);
    } else {
      out += fmt::format("%{:02X}", c);
    }
  }
  return out;
}

base::Result<ApiClient> ApiClient::create(Server server) {
  auto session = TRY(net::HttpSession::create({server.ca_file, server.uses_proxy}));
  return ApiClient(std::move(server), std::move(session));
}

net::SessionRequest ApiClient::request(std::string_view method, std::string_view target,
                                       net::Headers headers) const {
  net::SessionRequest request;
  request.method = method;
  request.url = server_.url + std::string(target);
  request.headers = std::move(headers);
  request.silence_timeout = limits::session_silence_timeout;
  if (!server_.token.empty())
    request.headers.push_back({"Authorization", "Bearer " + server_.token});
  return request;
}

base::Result<Document> ApiClient::call(std::string_view method, std::string_view target,
                                       std::string body, net::Headers headers) {
  net::SessionRequest order = request(method, target, std::move(headers));
  if (!body.empty()) order.headers.push_back({"Content-Type", "application/json"});
  order.body = std::move(body);
  while (true) {
    net::SessionResponse response = TRY(session_->send(order));
    if (response.status == 429) {
      std::this_thread::sleep_for(std::chrono::seconds(retry_after(response)));
      continue;
    }
    if (response.status < 200 || response.status >= 300) return error_of(response, server_.url);
    if (response.body.empty()) response.body = "null";
    auto document = base::JsonDocument::parse(std::move(response.body));
    if (document) return document;
    return base::Error{base::ErrorCode::upstream,
                       fmt::format("{} answers, but not as Dagy does", server_.url)};
  }
}

base::Result<net::SessionResponse> ApiClient::get_raw(std::string_view target) {
  return session_->send(request("GET", target, {}));
}

base::Result<net::SessionResponse> ApiClient::put(std::string_view url, std::string bytes) {
  net::SessionRequest order = request("PUT", url, {});
  if (!url.starts_with('/')) {
    order.url = url;
    if (!url.starts_with(server_.url + "/")) order.headers.clear();
  }
  order.headers.push_back({"Content-Type", "application/octet-stream"});
  order.body = std::move(bytes);
  net::SessionResponse response = TRY(session_->send(order));
  if (response.status < 200 || response.status >= 300) return error_of(response, server_.url);
  return response;
}

base::Result<int> ApiClient::stream(std::string_view target, net::Headers headers,
                                    const net::BodySink& sink) {
  net::SessionRequest order = request("GET", target, std::move(headers));
  order.silence_timeout = limits::stream_silence_timeout;
  net::SessionResponse response = TRY(session_->send(order, sink));
  if (response.status < 200 || response.status >= 300) return error_of(response, server_.url);
  return response.status;
}

}  // namespace cli
