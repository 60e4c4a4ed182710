// From one page of an HTTP service to the next.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "net/http_client.h"
#include "nodes/http_config.h"

namespace nodes {

/// Collects the lists of all pages.
class HttpPages {
 public:
  HttpPages(HttpPaginate how, net::HttpRequest first);

  /// The request for the first page.
  base::Result<net::HttpRequest> begin();
  /// Takes a page: the request for the next one, or nothing after the last. `invalid` for a page
  /// that is not what was described, one page too many, or one that was there before.
  base::Result<std::optional<net::HttpRequest>> take(net::HttpEnd& end, base::JsonView body);
  /// A JSON list.
  std::string items() const { return '[' + items_ + ']'; }
  int count() const { return count_; }

 private:
  base::Result<std::optional<net::HttpUrl>> next_url(const net::HttpResponse& response,
                                                     base::JsonView body, std::size_t page_items);
  base::Result<net::HttpUrl> with_parameter(const std::string& value) const;

  const HttpPaginate how_;
  const net::HttpRequest first_;
  std::string items_;
  std::vector<net::BodyCharge> charges_;  // for what `items_` holds
  int count_ = 0;
  std::set<std::string> seen_;  // URLs
};

/// Target of the link with relation `next` (RFC 8288), or nothing.
std::optional<std::string> next_link(const net::Headers& headers);

}  // namespace nodes
