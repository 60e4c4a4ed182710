#include "net/http_transfer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/check.h"
#include "base/limits.h"
#include "net/gzip.h"
#include "net/response_head.h"

namespace net {

namespace limits = base::limits;

namespace {

// Headers that may go to an origin which the caller did not name.
bool is_harmless(std::string_view name) {
  static constexpr auto names =
      std::to_array<std::string_view>({"accept", "accept-language", "content-type", "user-agent"});
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return base::equals_ignoring_case(each, name); });
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  CURLcode code = curl().easy_setopt(easy, option, value);
  CHECK(code == CURLE_OK);
}

}  // namespace

const std::string* HttpResponse::header(std::string_view name) const {
  for (const auto& [each, value] : headers)
    if (each == name) return &value;
  return nullptr;
}

base::Result<> redirect_to(HttpRequest& request, HttpUrl target) {
  if (request.url.scheme == "https" && target.scheme == "http")
    return base::invalid(fmt::format("{} leads from https to http", request.url.without_query()));
  if (!target.has_origin_of(request.url)) {
    request.authorization.clear();
    std::erase_if(request.headers, [](const auto& header) { return !is_harmless(header.name); });
  }
  request.url = std::move(target);
  return {};
}

HttpTransfer::HttpTransfer(HttpClient::Id id, HttpRequest request, const HttpClientOptions& options,
                           BodyTotal& bodies)
    : id_(id),
      request_(std::move(request)),
      options_(options),
      bodies_(bodies),
      easy_(curl().easy_init()) {
  set_up();
}

HttpTransfer::~HttpTransfer() {
  curl().easy_cleanup(easy_);
  curl().slist_free_all(headers_);
}

HttpClient::Id HttpTransfer::id_of(CURL* handle) {
  void* self = nullptr;
  curl().easy_getinfo(handle, CURLINFO_PRIVATE, &self);
  return static_cast<HttpTransfer*>(self)->id_;
}

void HttpTransfer::set_up() {
  curl().easy_reset(easy_);
  error_[0] = '\0';
  set(easy_, CURLOPT_PRIVATE, static_cast<void*>(this));
  set(easy_, CURLOPT_ERRORBUFFER, error_);
  set(easy_, CURLOPT_NOSIGNAL, 1L);
  set(easy_, CURLOPT_QUICK_EXIT, 1L);  // a cancel does not wait for the DNS
  set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy_, CURLOPT_PROXY, "");  // none, whatever the environment says
  set(easy_, CURLOPT_URL, request_.url.text.c_str());
  set(easy_, CURLOPT_CONNECTTIMEOUT_MS,
      long(std::chrono::milliseconds(limits::http_connect_timeout).count()));
  set(easy_, CURLOPT_DNS_CACHE_TIMEOUT, long(std::chrono::seconds(limits::http_dns_ttl).count()));
  set(easy_, CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(easy_, CURLOPT_LOW_SPEED_TIME,
      long(std::chrono::seconds(limits::http_silence_timeout).count()));
  if (!options_.ca_file.empty()) set(easy_, CURLOPT_CAINFO, options_.ca_file.c_str());

  set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request_.body.size()));
  set(easy_, CURLOPT_POSTFIELDS, request_.body.c_str());
  bool has_body = !request_.body.empty() || request_.method == "POST" || request_.method == "PUT" ||
                  request_.method == "PATCH";
  if (!has_body) set(easy_, CURLOPT_HTTPGET, 1L);
  if (request_.method == "HEAD") set(easy_, CURLOPT_NOBODY, 1L);
  set(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  set_headers();

  set(easy_, CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(
      easy_, CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) {
        return static_cast<HttpTransfer*>(self)->take_body({data, n});
      });
  set(easy_, CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(
      easy_, CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) {
        return static_cast<HttpTransfer*>(self)->take_header({data, n});
      });
  set(easy_, CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  set(
      easy_, CURLOPT_OPENSOCKETFUNCTION,
      +[](void* self, curlsocktype, curl_sockaddr* address) -> curl_socket_t {
        return static_cast<HttpTransfer*>(self)->open_socket(*address);
      });
}

void HttpTransfer::set_headers() {
  curl().slist_free_all(std::exchange(headers_, nullptr));
  auto add = [&](const std::string& line) {
    headers_ = curl().slist_append(headers_, line.c_str());
  };
  bool has_type = false;
  bool has_agent = false;
  for (const auto& [name, value] : request_.headers) {
    add(base::trimmed(value).empty() ? name + ";" : name + ": " + value);
    has_type |= base::equals_ignoring_case(name, "content-type");
    has_agent |= base::equals_ignoring_case(name, "user-agent");
  }
  if (!has_agent) add("User-Agent: Dagy/" DAGY_VERSION);
  add("Accept-Encoding: gzip");
  if (!has_type) add("Content-Type:");  // none, in place of libcurl's own
  add("Expect:");                       // likewise
  if (!request_.authorization.empty()) add("Authorization: " + request_.authorization);
  set(easy_, CURLOPT_HTTPHEADER, headers_);
}

curl_socket_t HttpTransfer::open_socket(const curl_sockaddr& address) {
  if (!options_.policy.permits(request_.url.host, request_.url.port, address.addr)) {
    forbidden_ = address_text(address.addr);
    return CURL_SOCKET_BAD;
  }
  connects_ = true;
  return ::socket(address.family, address.socktype | SOCK_CLOEXEC, address.protocol);
}

std::size_t HttpTransfer::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > limits::http_header_bytes_max) {
    refusal_ = {"response_too_large", fmt::format("the answer's header has more than {} bytes",
                                                  limits::http_header_bytes_max)};
    return 0;
  }
  if (head_done_) return line.size();  // a trailer
  if (line.starts_with("HTTP/")) {     // what came before was of class 1xx
    response_.headers.clear();
  } else if (base::trimmed(line).empty()) {
    long status = 0;
    curl().easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    head_done_ = status >= 200;
  } else if (line.front() == ' ' || line.front() == '\t') {  // goes on (RFC 9112, 5.2)
    if (!response_.headers.empty())
      response_.headers.back().value.append(" ").append(base::trimmed(line));
  } else {
    std::size_t colon = std::min(line.find(':'), line.size() - 1);
    std::string name = base::ascii_lower(base::trimmed(line.substr(0, colon)));
    if (is_token(name))
      response_.headers.push_back(
          {std::move(name), std::string(base::trimmed(line.substr(colon + 1)))});
  }
  return line.size();
}

std::optional<HttpFailure> HttpTransfer::charge(std::size_t bytes) {
  if (charge_.grow(bodies_, bytes) <= limits::http_bodies_bytes_max) return std::nullopt;
  return HttpFailure{"overloaded", fmt::format("all answers in memory have more than {} bytes",
                                               limits::http_bodies_bytes_max)};
}

std::size_t HttpTransfer::take_body(std::string_view bytes) {
  if (response_.body.size() + bytes.size() > limits::http_body_bytes_max) {
    refusal_ = {"response_too_large",
                fmt::format("the answer has more than {} bytes", limits::http_body_bytes_max)};
    return 0;
  }
  refusal_ = charge(response_.body.size() + bytes.size());
  if (refusal_) return 0;
  response_.body += bytes;
  return bytes.size();
}

// A compressed body that is not whole is an error, which libcurl would not tell.
std::optional<HttpFailure> HttpTransfer::decode_body() {
  const std::string* coding = response_.header("content-encoding");
  if (coding == nullptr || response_.body.empty()) return std::nullopt;
  if (base::equals_ignoring_case(*coding, "identity")) return std::nullopt;
  if (!base::equals_ignoring_case(*coding, "gzip") &&
      !base::equals_ignoring_case(*coding, "x-gzip"))
    return HttpFailure{"encoding", "the answer has an encoding that was not asked for: " + *coding};
  base::Result<std::string> plain = gunzip(response_.body, limits::http_body_bytes_max);
  if (!plain) {
    bool is_large = plain.error().code == base::ErrorCode::too_large;
    return HttpFailure{is_large ? "response_too_large" : "encoding", plain.error().message};
  }
  response_.body = std::move(*plain);
  charge_ = {};
  return charge(response_.body.size());
}

std::optional<HttpEnd> HttpTransfer::hop_done(CURLcode code) {
  long status = 0;
  curl_off_t microseconds = 0;
  curl().easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  curl().easy_getinfo(easy_, CURLINFO_TOTAL_TIME_T, &microseconds);
  response_.status = code == CURLE_OK ? int(status) : 0;
  hops_.push_back({request_.method, std::string(request_.url.without_query()), response_.status,
                   response_.body.size(), microseconds});
  if (auto failure = failure_of(code)) return fail(std::move(*failure));
  const std::string* target = response_.header("location");
  bool follows = is_redirect(response_.status) && !request_.unfollowed.contains(response_.status);
  if (target != nullptr && follows) {
    if (auto failure = redirect(*target)) return fail(std::move(*failure));
    return std::nullopt;
  }
  if (auto failure = decode_body()) return fail(std::move(*failure));
  response_.url = std::move(request_.url);
  return HttpEnd{{}, std::exchange(response_, {}), std::move(hops_), std::move(charge_)};
}

HttpEnd HttpTransfer::cancel() {
  curl_off_t microseconds = 0;
  curl().easy_getinfo(easy_, CURLINFO_TOTAL_TIME_T, &microseconds);
  hops_.push_back({request_.method, std::string(request_.url.without_query()), 0, 0, microseconds});
  return fail(*cancelled_end().failure);
}

HttpEnd HttpTransfer::cancelled_end() {
  return {HttpFailure{"cancelled", "the call was cancelled"}, {}, {}};
}

HttpEnd HttpTransfer::fail(HttpFailure failure) {
  return {std::move(failure), {}, std::move(hops_)};
}

std::optional<HttpFailure> HttpTransfer::failure_of(CURLcode code) const {
  if (code == CURLE_OK && head_done_) return std::nullopt;
  if (code == CURLE_OK) return HttpFailure{"connection", "the answer's header is not whole"};
  if (refusal_) return refusal_;
  if (!forbidden_.empty() && !connects_)
    return HttpFailure{"forbidden_address",
                       fmt::format("{} is at {}, which is no public address: only what "
                                   "DAGY_HTTP_ALLOW names may be called there",
                                   request_.url.host, forbidden_)};
  std::string why = error_[0] != '\0' ? error_ : curl().easy_strerror(code);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure{"timeout", std::move(why)};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return HttpFailure{"tls", std::move(why)};
    default:
      return HttpFailure{"connection", std::move(why)};
  }
}

std::optional<HttpFailure> HttpTransfer::redirect(const std::string& location) {
  if (std::ssize(hops_) > limits::http_redirects_max)
    return HttpFailure{"redirect",
                       fmt::format("more than {} redirects", limits::http_redirects_max)};
  base::Result<HttpUrl> target = resolve_url(request_.url, location);
  if (!target)
    return HttpFailure{"redirect", "the address it redirects to " + target.error().message};
  bool becomes_get = (response_.status == 303 && request_.method != "HEAD") ||
                     (response_.status <= 302 && request_.method == "POST");
  if (becomes_get) {
    request_.method = "GET";
    request_.body.clear();
    std::erase_if(request_.headers, [](const auto& header) {
      return base::equals_ignoring_case(header.name, "content-type");
    });
  }
  base::Result<> went = redirect_to(request_, std::move(*target));
  if (!went) return HttpFailure{"redirect", went.error().message};
  charge_ = {};
  response_ = {};
  header_bytes_ = 0;
  head_done_ = connects_ = false;
  forbidden_.clear();
  set_up();
  return std::nullopt;
}

}  // namespace net
