// Calls to HTTP services. One thread holds all of them (libcurl's multi interface), so a call that
// waits costs no thread. Every connection is asked of the outbound policy; no proxy, cookie or
// password file of the environment is used.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "net/body_charge.h"
#include "net/header.h"
#include "net/http_url.h"
#include "net/outbound_policy.h"

namespace net {

struct HttpRequest {
  std::string method = "GET";
  HttpUrl url;
  Headers headers;
  std::string authorization;  // value of that header; never sent to another origin
  std::string body;
  /// Redirects are followed as browsers do (301 and 302 make a GET of a POST, 303 of all but HEAD;
  /// see redirect_to), but for these statuses.
  std::set<int> unfollowed;
};

/// Sends a request elsewhere. To another origin only headers go that say nothing of the caller.
/// `invalid` from https to http.
base::Result<> redirect_to(HttpRequest& request, HttpUrl target);

struct HttpResponse {
  int status = 0;
  HttpUrl url;       // the last one, after redirects
  Headers headers;   // names in lower case
  std::string body;  // decompressed

  /// The first header of that name (in lower case), or null.
  const std::string* header(std::string_view name) const;
};

/// Why there is no response.
struct HttpFailure {
  /// `connection`, `timeout`, `tls`, `forbidden_address`, `redirect`, `encoding`,
  /// `response_too_large`, `overloaded` (too many large answers at a time) or `cancelled`.
  std::string kind;
  std::string message;
};

/// One request and its answer, for the log.
struct HttpHop {
  std::string method;
  std::string url;  // without its query
  int status = 0;   // 0: no answer
  std::size_t body_bytes = 0;
  std::int64_t microseconds = 0;
};

struct HttpEnd {
  std::optional<HttpFailure> failure;
  HttpResponse response;  // when there is no failure
  std::vector<HttpHop> hops;
  BodyCharge charge = {};  // for the body, as long as somebody keeps it; not beyond the client
};

struct HttpClientOptions {
  OutboundPolicy policy;
  std::string ca_file;  // PEM file of the certificate authorities; "" is the system's
};

class HttpClient {
 public:
  using Id = std::uint64_t;  // never reused
  using Done = std::function<void(HttpEnd)>;

  explicit HttpClient(HttpClientOptions options);
  ~HttpClient();  // as stop()

  /// Thread-safe, does not block. `done` is called once, on the client's own thread: it must not
  /// block.
  Id start(HttpRequest request, Done done);
  /// Ends it with failure `cancelled`, if it has not ended. Thread-safe.
  void cancel(Id id);
  /// Drops what is under way and what comes later; nothing is called any more once it returns.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
