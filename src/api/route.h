// Routes are data: a category file lists its routes in one table, and from that come dispatch, the
// permission check, the OpenAPI document and the reference page. Example to copy: flows.cc.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/services.h"
#include "auth/accounts.h"
#include "base/fields.h"
#include "base/result.h"
#include "model/permission.h"
#include "net/server.h"

namespace api {

enum class Method { get, post, put, patch, del };
std::string_view method_name(Method method);  // "GET", …

struct Route;

/// Sends the answer of a call, with the headers that every answer of it carries. Copyable; may be
/// kept and used later, from any thread.
class Answer {
 public:
  Answer(net::Responder responder, std::vector<net::Header> headers)
      : responder_(std::move(responder)), headers_(std::move(headers)) {}
  void send(net::Response response) const;
  void send_error(const base::Error& error) const;
  /// Begins an answer that goes on (net::Responder::stream).
  net::Stream stream(net::Response head, std::string heartbeat) const;
  bool client_gone() const { return responder_.client_gone(); }

 private:
  net::Responder responder_;
  std::vector<net::Header> headers_;
};

/// One request on its way through a handler.
struct Call {
  const Services& services;
  const Route& route;
  const net::Request& request;
  std::vector<std::string> path;              // values of the path's parameters, in order
  std::optional<auth::Identity> identity;     // set unless the route is public
  const base::JsonDocument* body = nullptr;   // an empty body reads as {}
  const base::JsonDocument* query = nullptr;  // the query as an object

  template <class T>
  base::Result<T> read_body() const {
    return base::read_struct<T>(body->root());
  }
  template <class T>
  base::Result<T> read_query() const {
    base::Result<T> parsed = base::read_struct<T>(query->root());
    if (!parsed) parsed.error().code = base::ErrorCode::malformed;
    return parsed;
  }
  /// An audit record of this call with its actor filled in; `status` is the one it will answer.
  store::AuditRow audit(std::string action, std::string resource_type, std::string resource_id,
                        int status) const;
};

/// An answer, or a function that answers later and holds no thread meanwhile.
struct Reply {
  net::Response response;
  std::function<void(Answer)> later;
};

template <base::Described T>
Reply json_reply(int status, const T& object) {
  return {{.status = status, .body = base::write_struct(object)}, nullptr};
}
inline Reply empty_reply() {
  return {{.status = 204}, nullptr};
}

using Handler = base::Result<Reply> (*)(const Call&);
using Description = const base::Fields& (*)();

/// Who may call a route.
struct Access {
  enum class Kind { anyone, signed_in, person, permitted } kind = Kind::signed_in;
  std::optional<model::Permission> permission = {};

  static Access anyone() { return {Kind::anyone, {}}; }
  static Access signed_in() { return {Kind::signed_in, {}}; }
  /// Signed in with a credential of their own: no API key.
  static Access person() { return {Kind::person, {}}; }
  static Access need(model::Permission permission) { return {Kind::permitted, permission}; }
};

/// An answer that a route may give; errors common to all routes are not repeated.
struct Answers {
  int status;
  std::string_view meaning;
  Description body = nullptr;  // null: no body, or not JSON of ours
  std::string_view content_type = "application/json";
};

struct Route {
  Method method;
  std::string_view path;  // "/runs/{run_id}"
  Access access;
  std::string_view name;  // operationId
  std::string_view summary;
  Handler handler;
  Description query = nullptr;
  Description body = nullptr;
  std::vector<Answers> answers = {};
  bool rate_limited = true;
  bool takes_idempotency_key = false;
  bool raw_body = false;  // any bytes, which the handler finds in the request
};

/// One category: the OpenAPI tag and its routes.
struct Category {
  std::string_view tag;
  std::string_view meaning;
  std::vector<Route> routes;
};

/// All categories in the order of the documentation. The list is routes.cc.
const std::vector<Category>& categories();

net::Response error_response(const base::Error& error);
int http_status(base::ErrorCode code);

}  // namespace api
