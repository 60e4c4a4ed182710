#include "nodes/http_pages.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/limits.h"
#include "net/url.h"

namespace nodes {

namespace limits = base::limits;

namespace {

// Takes a token or a quoted string from the front of `text`.
std::string take_value(std::string_view& text) {
  std::string value;
  if (!text.starts_with('"')) {
    std::size_t end = std::min(text.find_first_of(",; \t"), text.size());
    value = text.substr(0, end);
    text.remove_prefix(end);
    return value;
  }
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

bool has_relation(std::string_view relations, std::string_view wanted) {
  while (!relations.empty()) {
    std::size_t space = std::min(relations.find(' '), relations.size());
    if (base::equals_ignoring_case(relations.substr(0, space), wanted)) return true;
    relations.remove_prefix(std::min(space + 1, relations.size()));
  }
  return false;
}

// One header: `<url>; rel="next"; title="…", <url>; …`
std::optional<std::string> next_of(std::string_view text) {
  while (true) {
    std::size_t open = text.find('<');
    std::size_t close = text.find('>', open == text.npos ? 0 : open);
    if (open == text.npos || close == text.npos) return std::nullopt;
    std::string target(text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
    bool is_next = false;
    bool has_rel = false;
    while (true) {
      text = base::trimmed(text);
      if (!text.starts_with(';')) break;
      text = base::trimmed(text.substr(1));
      std::size_t end = std::min(text.find_first_of("=,;"), text.size());
      std::string_view name = base::trimmed(text.substr(0, end));
      text.remove_prefix(end);
      if (!text.starts_with('=')) continue;
      text = base::trimmed(text.substr(1));
      std::string value = take_value(text);
      bool counts = !has_rel && base::equals_ignoring_case(name, "rel");  // the first one does
      if (counts) is_next = has_relation(value, "next");
      has_rel |= counts;
    }
    if (is_next) return target;
  }
}

}  // namespace

std::optional<std::string> next_link(const net::Headers& headers) {
  for (const auto& [name, value] : headers) {
    if (name != "link") continue;
    if (auto target = next_of(value)) return target;
  }
  return std::nullopt;
}

HttpPages::HttpPages(HttpPaginate how, net::HttpRequest first)
    : how_(std::move(how)), first_(std::move(first)) {}

base::Result<net::HttpRequest> HttpPages::begin() {
  net::HttpRequest request = first_;
  if (how_.by == HttpPaging::page) request.url = TRY(with_parameter(std::to_string(how_.first)));
  seen_.insert(request.url.text);
  return request;
}

base::Result<std::optional<net::HttpRequest>> HttpPages::take(net::HttpEnd& end,
                                                              base::JsonView body) {
  ++count_;
  charges_.push_back(std::move(end.charge));
  std::optional<base::JsonView> items = body.at_pointer(how_.items);
  if (!items || !items->is_array())
    return base::invalid(
        fmt::format("page {} has no list at '{}' (paginate.items)", count_, how_.items));
  std::size_t page_items = items->size();
  if (page_items > 0) {
    std::string_view list = items->raw();
    if (!items_.empty()) items_ += ',';
    items_ += list.substr(1, list.size() - 2);
  }
  if (items_.size() > limits::value_bytes_max)
    return base::invalid(fmt::format("the pages have more than {} bytes", limits::value_bytes_max));
  std::optional<net::HttpUrl> url = TRY(next_url(end.response, body, page_items));
  if (!url) return std::optional<net::HttpRequest>();
  if (count_ == how_.pages_max)
    return base::invalid(fmt::format("there are more than {} pages (paginate.pages_max)", count_));
  if (!seen_.insert(url->text).second)
    return base::invalid(fmt::format("page {} leads to a page that was there before", count_));
  net::HttpRequest request = first_;
  TRY(net::redirect_to(request, std::move(*url)));
  return std::optional(std::move(request));
}

base::Result<std::optional<net::HttpUrl>> HttpPages::next_url(const net::HttpResponse& response,
                                                              base::JsonView body,
                                                              std::size_t page_items) {
  using Url = std::optional<net::HttpUrl>;
  std::optional<std::string> target;
  if (how_.by == HttpPaging::page) {
    if (page_items == 0) return Url();
    return Url(TRY(with_parameter(std::to_string(how_.first + count_))));
  }
  if (how_.by == HttpPaging::link) {
    target = next_link(response.headers);
  } else if (auto found = body.at_pointer(*how_.pointer); found && !found->is_null()) {
    bool is_number = how_.by == HttpPaging::cursor && found->type() == base::JsonType::number;
    if (!found->is_string() && !is_number)
      return base::invalid(fmt::format("page {} has {} at '{}' (paginate.pointer)", count_,
                                       base::with_article(found->type()), *how_.pointer));
    target = is_number ? std::string(found->raw()) : found->string();
  }
  if (!target || target->empty()) return Url();
  if (how_.by == HttpPaging::cursor) return Url(TRY(with_parameter(*target)));
  base::Result<net::HttpUrl> url = net::resolve_url(response.url, *target);
  if (!url)
    return base::invalid(fmt::format("page {} leads to what {}", count_, url.error().message));
  return Url(std::move(*url));
}

base::Result<net::HttpUrl> HttpPages::with_parameter(const std::string& value) const {
  const std::string& url = first_.url.text;
  return net::parse_http_url(fmt::format("{}{}{}={}", url, url.find('?') == url.npos ? '?' : '&',
                                         net::percent_encode(*how_.parameter),
                                         net::percent_encode(value)));
}

}  // namespace nodes
