#include "api/route.h"

#include "base/ids.h"

namespace api {

std::string_view method_name(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::patch:
      return "PATCH";
    case Method::del:
      return "DELETE";
  }
  return "GET";
}

int http_status(base::ErrorCode code) {
  using base::ErrorCode;
  switch (code) {
    case ErrorCode::malformed:
      return 400;
    case ErrorCode::invalid:
      return 422;
    case ErrorCode::unauthenticated:
      return 401;
    case ErrorCode::payment_required:
      return 402;
    case ErrorCode::forbidden:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::method_not_allowed:
      return 405;
    case ErrorCode::conflict:
      return 409;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::unsupported_media:
      return 415;
    case ErrorCode::too_many:
      return 429;
    case ErrorCode::upstream:
      return 502;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::timeout:
      return 504;
    case ErrorCode::internal:
      return 500;
  }
  return 500;
}

net::Response error_response(const base::Error& error) {
  net::Response response{.status = http_status(error.code)};
  base::JsonWriter out(response.body);
  out.begin_object().member("detail", error.message);
  if (!error.fields.empty()) {
    out.key("errors").begin_array();
    for (const base::FieldError& field : error.fields)
      out.begin_object().member("path", field.path).member("message", field.message).end_object();
    out.end_array();
  }
  out.end_object();
  if (error.retry_after_seconds)
    response.headers.push_back({"Retry-After", std::to_string(*error.retry_after_seconds)});
  if (error.code == base::ErrorCode::unauthenticated)
    response.headers.push_back({"WWW-Authenticate", "Bearer"});
  return response;
}

net::Stream Answer::stream(net::Response head, std::string heartbeat) const {
  head.headers.insert(head.headers.end(), headers_.begin(), headers_.end());
  return responder_.stream(std::move(head), std::move(heartbeat));
}

void Answer::send(net::Response response) const {
  response.headers.insert(response.headers.end(), headers_.begin(), headers_.end());
  responder_.send(std::move(response));
}

void Answer::send_error(const base::Error& error) const {
  send(error_response(error));
}

store::AuditRow Call::audit(std::string action, std::string resource_type, std::string resource_id,
                            int status) const {
  store::AuditRow row;
  row.created_at = services.clock.now();
  row.audit_id = base::new_id("aud", row.created_at, services.random);
  if (identity) {
    row.org_id = identity->org_id;
    row.actor_email = identity->email;
    row.api_key_id = identity->api_key_id;
    if (!row.api_key_id.empty()) row.actor_type = "api_key";
  }
  row.action = std::move(action);
  row.resource_type = std::move(resource_type);
  row.resource_id = std::move(resource_id);
  row.http_method = std::string(method_name(route.method));
  row.http_path = std::string(route.path);
  row.status_code = status;
  row.ip = request.client_ip;
  return row;
}

}  // namespace api
