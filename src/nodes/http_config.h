// Config of node type http.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "net/http_url.h"

namespace nodes {

enum class HttpMethod { get, head, post, put, patch, del, options };
std::span<const base::EnumName> enum_names(HttpMethod);

/// Statuses that succeed: one, or a class of a hundred as "2xx".
struct HttpStatuses {
  int first = 200;
  int last = 299;
};

/// How a body becomes a value.
enum class HttpBody { json, text, base64 };
std::span<const base::EnumName> enum_names(HttpBody);

struct HttpExpect {
  std::vector<HttpStatuses> status = {{200, 299}};
  std::optional<HttpBody> body;
  bool accepts(int status_code) const;
  static const base::Fields& fields();
};

enum class HttpAuthType { basic, bearer };
std::span<const base::EnumName> enum_names(HttpAuthType);

struct HttpAuth {
  HttpAuthType type = HttpAuthType::bearer;
  std::optional<std::string> username;
  std::optional<std::string> password;
  std::optional<std::string> token;
  std::string header() const;  // value of Authorization
  static const base::Fields& fields();
};

/// What leads from one page to the next.
enum class HttpPaging {
  link,    // the Link header of RFC 8288, rel="next"
  url,     // a URL in the body
  cursor,  // a text or number in the body, sent back as a query parameter
  page,    // a query parameter that counts, until a page is empty
};
std::span<const base::EnumName> enum_names(HttpPaging);

struct HttpPaginate {
  HttpPaging by = HttpPaging::link;
  std::string items;                     // pointer to the list in a body
  std::optional<std::string> pointer;    // to the URL or cursor in a body
  std::optional<std::string> parameter;  // of the query
  std::int64_t first = 1;
  int pages_max;
  HttpPaginate();
  static const base::Fields& fields();
};

/// One query parameter: as often as it has texts.
struct HttpQueryValue {
  std::vector<std::string> texts;
};

struct HttpConfig {
  HttpMethod method = HttpMethod::get;
  std::string url;
  std::map<std::string, std::string> headers;
  std::map<std::string, HttpQueryValue> query;
  std::optional<base::RawJson> body;
  HttpExpect expect;
  std::optional<HttpAuth> auth;
  std::optional<HttpPaginate> paginate;
  /// With its query. `invalid` names the query when that makes it too long.
  base::Result<net::HttpUrl> full_url() const;
  static const base::Fields& fields();
};

}  // namespace nodes
