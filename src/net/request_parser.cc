#include "net/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>

namespace net {

namespace {

namespace http = boost::beast::http;
using boost::beast::iequals;

constexpr std::size_t headers_expected = 12;
// A body is believed to be as long as it says only up to here; beyond, memory follows the bytes.
constexpr std::size_t body_reserve_max = 256u << 10;

std::string_view view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

// Beast's callbacks, kept to the head: its own reading of bodies is switched off by skip(true),
// since with assertions on, as here, Boost 1.81 aborts on "0\r\n\r", the end of chunks sent in
// pieces.
class HeadParser : public http::basic_parser<true> {
 public:
  HeadParser(Request& request, std::size_t header_bytes_max) : request_(request) {
    header_limit(static_cast<std::uint32_t>(header_bytes_max));
    skip(true);
  }

  std::string target;
  std::string_view expectation;  // "", "100-continue" or another one
  int hosts = 0;
  int transfer_encodings = 0;
  bool chunked_only = false;
  bool has_length = false;
  bool http_1_0 = false;

 private:
  void on_request_impl(http::verb, boost::beast::string_view method,
                       boost::beast::string_view sent_target, int version,
                       boost::beast::error_code&) override {
    request_.method = view(method);
    request_.headers.reserve(headers_expected);
    target = view(sent_target);
    http_1_0 = version == 10;
  }

  void on_field_impl(http::field field, boost::beast::string_view name,
                     boost::beast::string_view value, boost::beast::error_code& ec) override {
    if (request_.headers.size() >= base::limits::header_fields_max) ec = http::error::header_limit;
    Header& header =
        request_.headers.emplace_back(Header{std::string(view(name)), std::string(view(value))});
    for (char& c : header.name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    if (field == http::field::host) ++hosts;
    if (field == http::field::content_length) has_length = true;
    if (field == http::field::expect)
      expectation = iequals(value, "100-continue") ? "100-continue" : "other";
    if (field == http::field::transfer_encoding)
      chunked_only = ++transfer_encodings == 1 && iequals(value, "chunked");
  }

  void on_response_impl(int, boost::beast::string_view, int, boost::beast::error_code&) override {}
  void on_header_impl(boost::beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         boost::beast::error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view, boost::beast::error_code&) override {
    return 0;
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view,
                            boost::beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view,
                                 boost::beast::error_code&) override {
    return 0;
  }
  void on_finish_impl(boost::beast::error_code&) override {}

  Request& request_;
};

// True when the request line at the start of `bytes`, of which the end may not have come yet, ends
// in a well-formed version that we do not speak.
bool names_other_version(std::string_view bytes) {
  std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  std::string_view version = line.substr(line.rfind(' ') + 1);
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) &&
         version[6] == '.' && digit(version[7]) && version != "HTTP/1.0" && version != "HTTP/1.1";
}

Refusal refusal_of(const boost::beast::error_code& ec, std::string_view bytes) {
  if (ec == http::error::header_limit) return {431, "the request header is too large"};
  if (ec == http::error::bad_version && names_other_version(bytes))
    return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  if (ec == http::error::multiple_content_length || ec == http::error::bad_content_length)
    return {400, "bad Content-Length"};
  if (ec == http::error::bad_transfer_encoding) return {400, "bad Transfer-Encoding"};
  if (ec == http::error::bad_method || ec == http::error::bad_target ||
      ec == http::error::bad_version)
    return {400, "bad request line"};
  return {400, "bad request header"};
}

bool is_method(std::string_view method) {
  return method.size() <= 32 && std::ranges::all_of(method, [](char c) {
           return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
         });
}

}  // namespace

class RequestParser::Head {
 public:
  // Beast's parser serves one message, so each request gets a new one in the same place.
  std::optional<HeadParser> parser;
};

RequestParser::RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max)
    : header_bytes_max_(header_bytes_max),
      body_bytes_max_(body_bytes_max),
      head_(std::make_unique<Head>()) {
  reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  request_ = Request();
  head_->parser.emplace(request_, header_bytes_max_);
  refusal_ = {};
  chunks_ = ChunkDecoder(body_bytes_max_);
  header_bytes_ = 0;
  body_left_ = 0;
  in_body_ = chunked_ = keep_alive_ = http_1_0_ = expects_continue_ = false;
}

RequestParser::Progress RequestParser::put(std::string_view bytes) {
  return in_body_ ? put_body(bytes) : put_head(bytes);
}

RequestParser::Progress RequestParser::put_head(std::string_view bytes) {
  std::size_t consumed = 0;
  if (!head_->parser->got_some()) {
    // Empty lines before a request are tolerated (RFC 9112, 2.2).
    while (bytes.substr(consumed).starts_with("\r\n")) consumed += 2;
    if (bytes.substr(consumed) == "\r" || consumed == bytes.size()) {
      header_bytes_ += consumed;
      if (header_bytes_ > header_bytes_max_) return refuse(consumed, 400, "bad request line");
      return {consumed, State::need_more};
    }
  }
  std::string_view rest = bytes.substr(consumed);
  boost::beast::error_code ec;
  consumed += head_->parser->put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
  header_bytes_ += consumed;
  bool more = ec == http::error::need_more;
  if (header_bytes_ + (more ? bytes.size() - consumed : 0) > header_bytes_max_)
    return refuse(consumed, 431, "the request header is too large");
  if (more) return {consumed, State::need_more};
  if (ec) {
    refusal_ = refusal_of(ec, rest);
    return {consumed, State::refused};
  }
  return finish_head(consumed);
}

RequestParser::Progress RequestParser::finish_head(std::size_t consumed) {
  HeadParser& head = *head_->parser;
  http_1_0_ = head.http_1_0;
  keep_alive_ = head.keep_alive();
  chunked_ = head.chunked_only;
  refusal_ = check_head();
  if (refusal_.status == 0 && !split_target()) refusal_ = {400, "bad request target"};
  if (refusal_.status != 0) return {consumed, State::refused};
  body_left_ = head.content_length().value_or(0);
  if (body_left_ > body_bytes_max_) return refuse(consumed, 413, "the request body is too large");
  if (!chunked_ && body_left_ == 0) return {consumed, State::done};
  request_.body.reserve(std::min<std::uint64_t>(body_left_, body_reserve_max));
  expects_continue_ = !http_1_0_ && !head.expectation.empty();
  in_body_ = true;
  return {consumed, State::header_done};
}

Refusal RequestParser::check_head() const {
  const HeadParser& head = *head_->parser;
  if (!is_method(request_.method)) return {400, "bad method"};
  if (head.hosts > 1 || (head.hosts == 0 && !head.http_1_0))
    return {400, "exactly one Host header is required"};
  if (head.transfer_encodings > 0) {
    if (head.has_length) return {400, "both Content-Length and Transfer-Encoding"};
    if (head.http_1_0) return {400, "Transfer-Encoding in HTTP/1.0"};
    if (!head.chunked_only) return {501, "the only Transfer-Encoding understood is chunked"};
  }
  if (head.expectation == "other") return {417, "the only expectation met is 100-continue"};
  return {};
}

// Origin form, absolute form (RFC 9112, 3.2.2: servers must take it) or "*" of OPTIONS.
bool RequestParser::split_target() {
  std::string_view target = head_->parser->target;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    target.remove_prefix(target.find("//") + 2);
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    request_.path = "/";
    if (target.starts_with('/')) request_.path = target.substr(0, target.find('?'));
  } else {
    request_.path = target.substr(0, target.find('?'));
  }
  if (auto mark = target.find('?'); mark != target.npos) request_.query = target.substr(mark + 1);
  if (target.find('#') != target.npos) return false;
  return request_.path.starts_with('/') || (request_.path == "*" && request_.method == "OPTIONS");
}

RequestParser::Progress RequestParser::put_body(std::string_view bytes) {
  if (!chunked_) {
    std::size_t n = std::min<std::uint64_t>(body_left_, bytes.size());
    request_.body.append(bytes.substr(0, n));
    body_left_ -= n;
    return {n, body_left_ == 0 ? State::done : State::need_more};
  }
  std::string_view rest = bytes;
  ChunkDecoder::State state = chunks_.put(rest, request_.body);
  std::size_t consumed = bytes.size() - rest.size();
  if (state == ChunkDecoder::State::bad) return refuse(consumed, 400, "bad chunked body");
  if (state == ChunkDecoder::State::too_large)
    return refuse(consumed, 413, "the request body is too large");
  return {consumed, state == ChunkDecoder::State::done ? State::done : State::need_more};
}

RequestParser::Progress RequestParser::refuse(std::size_t consumed, int status,
                                              std::string_view message) {
  refusal_ = {status, message};
  return {consumed, State::refused};
}

}  // namespace net
