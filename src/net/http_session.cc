#include "net/http_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "net/curl.h"

namespace net {

namespace limits = base::limits;

namespace {

bool is_sendable(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

}  // namespace

std::string_view SessionResponse::header(std::string_view name) const {
  for (const auto& [each, value] : headers)
    if (each == name) return value;
  return {};
}

class HttpSession::Impl {
 public:
  Impl(const Curl& curl, SessionOptions options)
      : curl_(curl), options_(std::move(options)), easy_(curl.easy_init()) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    curl_.easy_cleanup(easy_);
    curl_.slist_free_all(lines_);
  }

  base::Result<SessionResponse> send(const SessionRequest& request, const BodySink& sink) {
    response_ = {};
    sink_ = &sink;
    is_ended_by_sink_ = is_too_large_ = false;
    error_[0] = '\0';
    curl_.easy_reset(easy_);  // keeps the connection
    TRY(set_headers(request));
    set_request(request);
    set_callbacks();
    CURLcode code = curl_.easy_perform(easy_);
    if (code == CURLE_OK || is_ended_by_sink_) return std::move(response_);
    return failure(code, request.url);
  }

 private:
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_.easy_setopt(easy_, option, value);
  }

  base::Result<> set_headers(const SessionRequest& request) {
    curl_.slist_free_all(std::exchange(lines_, nullptr));
    for (const auto& [name, value] : request.headers) {
      if (!is_sendable(value))
        return base::invalid(fmt::format("header {} must not hold control characters", name));
      lines_ = curl_.slist_append(lines_, fmt::format("{}: {}", name, value).c_str());
    }
    lines_ = curl_.slist_append(lines_, "Expect:");
    set(CURLOPT_HTTPHEADER, lines_);
    return {};
  }

  void set_request(const SessionRequest& request) {
    set(CURLOPT_ERRORBUFFER, error_);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_USERAGENT, "dagy/" DAGY_VERSION);
    set(CURLOPT_ACCEPT_ENCODING, "");  // all that libcurl can decode
    if (!options_.uses_proxy) set(CURLOPT_PROXY, "");
    if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS,
        long(std::chrono::milliseconds(limits::http_connect_timeout).count()));
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, long(request.silence_timeout.count()));
    if (request.method != "GET") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.data());
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  void set_callbacks() {
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    set(CURLOPT_HEADERDATA, static_cast<void*>(this));
    set(
        CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) {
          return static_cast<Impl*>(self)->take_body({data, n});
        });
    set(
        CURLOPT_HEADERFUNCTION, +[](char* data, std::size_t, std::size_t n, void* self) {
          return static_cast<Impl*>(self)->take_header({data, n});
        });
    set(CURLOPT_NOPROGRESS, *sink_ == nullptr ? 1L : 0L);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
    set(
        CURLOPT_XFERINFOFUNCTION, +[](void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
          return static_cast<Impl*>(self)->is_sink_done() ? 1 : 0;
        });
  }

  bool is_sink_done() {
    if (*sink_ != nullptr && !(*sink_)({})) is_ended_by_sink_ = true;
    return is_ended_by_sink_;
  }

  std::size_t take_header(std::string_view line) {
    std::string_view text = base::trimmed(line);
    if (text.starts_with("HTTP/")) response_.headers.clear();  // the last of several heads counts
    std::size_t colon = text.find(':');
    if (colon != std::string_view::npos)
      response_.headers.push_back({base::ascii_lower(text.substr(0, colon)),
                                   std::string(base::trimmed(text.substr(colon + 1)))});
    long status = 0;
    curl_.easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    return line.size();
  }

  std::size_t take_body(std::string_view bytes) {
    if (*sink_ != nullptr && response_.status < 300) {
      is_ended_by_sink_ = !(*sink_)(bytes);
      return is_ended_by_sink_ ? 0 : bytes.size();
    }
    is_too_large_ = response_.body.size() + bytes.size() > limits::session_body_bytes_max;
    if (is_too_large_) return 0;
    response_.body += bytes;
    return bytes.size();
  }

  base::Error failure(CURLcode code, std::string_view url) const {
    std::string_view shown = url.substr(0, url.find('?'));
    if (code == CURLE_URL_MALFORMAT)
      return base::invalid(fmt::format("{} is no http or https address", shown));
    if (is_too_large_)
      return base::Error{base::ErrorCode::upstream,
                         fmt::format("the answer of {} is larger than {} bytes", shown,
                                     limits::session_body_bytes_max)};
    std::string_view reason = error_[0] != '\0' ? error_ : curl_.easy_strerror(code);
    base::Error error = base::unavailable(fmt::format("no answer from {}: {}", shown, reason));
    if (code == CURLE_OPERATION_TIMEDOUT) error.code = base::ErrorCode::timeout;
    return error;
  }

  const Curl& curl_;
  const SessionOptions options_;
  CURL* easy_;
  curl_slist* lines_ = nullptr;
  char error_[CURL_ERROR_SIZE] = "";
  SessionResponse response_;
  const BodySink* sink_ = nullptr;
  bool is_ended_by_sink_ = false;
  bool is_too_large_ = false;
};

HttpSession::HttpSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpSession::~HttpSession() = default;

base::Result<std::unique_ptr<HttpSession>> HttpSession::create(SessionOptions options) {
  const Curl* curl = TRY(load_curl());
  return std::unique_ptr<HttpSession>(
      new HttpSession(std::make_unique<Impl>(*curl, std::move(options))));
}

base::Result<SessionResponse> HttpSession::send(const SessionRequest& request,
                                                const BodySink& sink) {
  return impl_->send(request, sink);
}

}  // namespace net
