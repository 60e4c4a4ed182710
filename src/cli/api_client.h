// Calls of one server's API with one credential. A refusal of the server becomes an Error with its
// code, text and fields; 429 is waited out.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "net/http_session.h"

namespace cli {

struct Server {
  std::string url;  // without a slash at its end
  std::string token;
  std::string ca_file;
  bool uses_proxy = true;
};

using Document = std::unique_ptr<const base::JsonDocument>;

class ApiClient {
 public:
  static base::Result<ApiClient> create(Server server);

  /// The answer; null when it has no body.
  base::Result<Document> call(std::string_view method, std::string_view target,
                              std::string body = "", net::Headers headers = {});
  /// The answer as it is, whatever its status.
  base::Result<net::SessionResponse> get_raw(std::string_view target);
  /// Sends bytes to an address that the server has given: a path of its own, or a whole URL, which
  /// gets no credential. The answer with its headers.
  base::Result<net::SessionResponse> put(std::string_view url, std::string bytes);
  /// Passes what comes to `sink`, which may end it. The status.
  base::Result<int> stream(std::string_view target, net::Headers headers,
                           const net::BodySink& sink);

  const Server& server() const { return server_; }
  void set_token(std::string token) { server_.token = std::move(token); }

 private:
  ApiClient(Server server, std::unique_ptr<net::HttpSession> session)
      : server_(std::move(server)), session_(std::move(session)) {}
  net::SessionRequest request(std::string_view method, std::string_view target,
                              net::Headers headers) const;

  Server server_;
  std::unique_ptr<net::HttpSession> session_;
};

/// `text` as one segment of a path or one value of a query.
std::string percent_encoded(std::string_view text);

}  // namespace cli
