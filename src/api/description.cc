// Description: the OpenAPI document and the reference page.
#include "api/openapi.h"
#include "api/routes.h"

namespace api {

namespace {

base::Result<Reply> openapi(const Call&) {
  static const std::string document = openapi_document();
  net::Response response{
      .status = 200, .content_type = "application/openapi+json", .body = document};
  return Reply{std::move(response), nullptr};
}

base::Result<Reply> docs(const Call&) {
  static const std::string page = reference_page();
  net::Response response{.status = 200, .content_type = "text/html; charset=utf-8", .body = page};
  response.headers.push_back(
      {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"});
  return Reply{std::move(response), nullptr};
}

}  // namespace

Category description_category() {
  return {"Description",
          "This API, described by itself",
          {{.method = Method::get,
            .path = "/openapi.json",
            .access = Access::anyone(),
            .name = "getOpenApi",
            .summary = "The OpenAPI 3.1 document",
            .handler = openapi,
            .answers = {{200, "The document", nullptr, "application/openapi+json"}},
            .rate_limited = false},
           {.method = Method::get,
            .path = "/docs",
            .access = Access::anyone(),
            .name = "getReference",
            .summary = "The API reference as a page",
            .handler = docs,
            .answers = {{200, "The page", nullptr, "text/html"}},
            .rate_limited = false}}};
}

}  // namespace api
