// The HTTP API: takes a request through limit, authentication, permission and parsing to its
// handler.
#pragma once

#include "api/router.h"
#include "api/services.h"

namespace api {

class Api {
 public:
  explicit Api(Services services);
  /// A handler for net::Server; runs on its workers.
  void handle(net::Request request, net::Responder responder) const;
  /// The error page for refusals of the server itself.
  static net::Response error_page(int status, std::string_view message);

 private:
  base::Result<Reply> dispatch(const net::Request& request,
                               std::vector<net::Header>& headers) const;
  /// Takes a token of the caller's own bucket if it has an API key, else of its address.
  base::Result<> limit_rate(const Route* route, const net::Request& request,
                            const base::Result<auth::Identity>& caller,
                            std::vector<net::Header>& headers) const;
  base::Result<auth::Identity> identify(const Route* route, const net::Request& request) const;
  /// Nothing for a public route.
  base::Result<std::optional<auth::Identity>> authorize(const Route& route,
                                                        base::Result<auth::Identity> caller) const;

  Services services_;
  Router router_;
};

}  // namespace api
