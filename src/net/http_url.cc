#include "net/http_url.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/ascii.h"
#include "base/limits.h"
#include "net/curl.h"

namespace net {

namespace {

struct FreeUrl {
  void operator()(CURLU* url) const { curl().url_cleanup(url); }
};
using UrlHandle = std::unique_ptr<CURLU, FreeUrl>;

// A part, or "" where there is none.
std::string part(const UrlHandle& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl().url_get(url.get(), which, &text, flags) != CURLUE_OK) return "";
  std::string copy = text;
  curl().free(text);
  return copy;
}

base::Result<HttpUrl> read(UrlHandle url) {
  HttpUrl result;
  result.scheme = part(url, CURLUPART_SCHEME);
  if (result.scheme != "http" && result.scheme != "https")
    return base::invalid("must be an http or https URL");
  curl().url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  result.host = base::ascii_lower(part(url, CURLUPART_HOST));
  if (result.host.starts_with('[') && result.host.ends_with(']'))
    result.host = result.host.substr(1, result.host.size() - 2);
  bool is_ascii = std::all_of(result.host.begin(), result.host.end(),
                              [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_ascii) return base::invalid("must have a host of ASCII letters (xn--…)");
  std::string port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  std::from_chars(port.data(), port.data() + port.size(), result.port);
  result.text = part(url, CURLUPART_URL);
  bool is_whole = !result.host.empty() && result.port != 0 && !result.text.empty();
  if (!is_whole) return base::invalid("must be a URL with a host and a port other than 0");
  return result;
}

base::Result<> set(const UrlHandle& url, std::string_view text) {
  if (text.size() > base::limits::http_url_bytes_max)
    return base::invalid(
        fmt::format("must have at most {} bytes", base::limits::http_url_bytes_max));
  if (text.find('\0') != text.npos) return base::invalid("must not hold U+0000");
  CURLUcode code = curl().url_set(url.get(), CURLUPART_URL, std::string(text).c_str(),
                                  CURLU_NON_SUPPORT_SCHEME | CURLU_DISALLOW_USER);
  if (code == CURLUE_USER_NOT_ALLOWED) return base::invalid("must not hold a user or a password");
  if (code != CURLUE_OK)
    return base::invalid(fmt::format("must be a URL ({})", curl().url_strerror(code)));
  return {};
}

}  // namespace

base::Result<HttpUrl> parse_http_url(std::string_view text) {
  TRY(load_curl());
  UrlHandle url(curl().url());
  TRY(set(url, text));
  return read(std::move(url));
}

base::Result<HttpUrl> resolve_url(const HttpUrl& from, std::string_view reference) {
  UrlHandle url(curl().url());
  TRY(set(url, from.text));
  // A reference to the document itself, which libcurl takes for another.
  reference = reference.substr(0, reference.find('#'));
  if (reference.empty()) return from;
  TRY(set(url, reference));
  return read(std::move(url));
}

}  // namespace net
