// One call of the HTTP client: the requests that its redirects make, one after the other.
#pragma once

#include "net/curl.h"
#include "net/http_client.h"

namespace net {

class HttpTransfer {
 public:
  /// `bodies` counts the bytes of all answers that are coming in or still kept.
  HttpTransfer(HttpClient::Id id, HttpRequest request, const HttpClientOptions& options,
               BodyTotal& bodies);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  CURL* handle() const { return easy_; }
  static HttpClient::Id id_of(CURL* handle);

  /// The request has ended, and is no longer libcurl's. Nothing: the next one is set up.
  std::optional<HttpEnd> hop_done(CURLcode code);
  HttpEnd cancel();
  /// Of a call that had not begun.
  static HttpEnd cancelled_end();

 private:
  void set_up();
  void set_headers();
  std::optional<HttpFailure> failure_of(CURLcode code) const;
  std::optional<HttpFailure> redirect(const std::string& location);
  std::optional<HttpFailure> decode_body();
  std::optional<HttpFailure> charge(std::size_t bytes);
  HttpEnd fail(HttpFailure failure);

  std::size_t take_body(std::string_view bytes);
  std::size_t take_header(std::string_view line);
  curl_socket_t open_socket(const curl_sockaddr& address);

  const HttpClient::Id id_;
  HttpRequest request_;
  const HttpClientOptions& options_;
  BodyTotal& bodies_;

  CURL* easy_;
  curl_slist* headers_ = nullptr;
  char error_[CURL_ERROR_SIZE] = "";
  std::optional<HttpFailure> refusal_;  // by ourselves, of what libcurl only knows failed
  std::string forbidden_;               // the last address that was not connected to
  bool connects_ = false;               // to an address that may be called
  std::size_t header_bytes_ = 0;
  bool head_done_ = false;
  BodyCharge charge_;
  HttpResponse response_;
  std::vector<HttpHop> hops_;
};

}  // namespace net
