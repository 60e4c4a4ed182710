// Calls of a client program: one after the other, each waited for. Unlike http_client.h it goes
// where its user says, with the proxies of the environment; it follows no redirect, since a
// credential goes along. TLS certificates are always verified.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/header.h"

namespace net {

struct SessionOptions {
  std::string ca_file;     // PEM file of the certificate authorities; "" is the system's
  bool uses_proxy = true;  // of http_proxy, https_proxy, no_proxy
};

struct SessionRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;
  std::chrono::seconds silence_timeout;  // without a byte
};

struct SessionResponse {
  int status = 0;
  Headers headers;  // names in lower case
  std::string body;

  /// Value of the first header of that name (in lower case), or "".
  std::string_view header(std::string_view name) const;
};

/// Takes a piece of a body as it comes; false ends the call. Also asked about once a second, and
/// when a signal came, with nothing.
using BodySink = std::function<bool(std::string_view)>;

class HttpSession {
 public:
  /// `unavailable` where libcurl is not installed.
  static base::Result<std::unique_ptr<HttpSession>> create(SessionOptions options);
  ~HttpSession();

  /// The answer, whatever its status. `unavailable` when there is none, `timeout` after silence,
  /// `invalid` for a URL or header that cannot be sent. With a sink the body of a status below 300
  /// goes there, and a call that the sink ends is no error.
  base::Result<SessionResponse> send(const SessionRequest& request, const BodySink& sink = nullptr);

 private:
  class Impl;
  explicit HttpSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
