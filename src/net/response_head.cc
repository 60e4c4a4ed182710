#include "net/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "base/ascii.h"
#include "base/check.h"

namespace net {

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

namespace {

bool is_one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos;
}

bool is_framing(std::string_view name) {
  return base::equals_ignoring_case(name, "content-length") ||
         base::equals_ignoring_case(name, "transfer-encoding") ||
         base::equals_ignoring_case(name, "connection");
}

constexpr std::array<std::pair<int, std::string_view>, 34> reasons{{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

std::string_view reason(int status) {
  for (const auto& [code, text] : reasons)
    if (code == status) return text;
  return "Unknown";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

std::string http_date(base::Timestamp now) {
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  auto day = std::chrono::floor<std::chrono::days>(now);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     days[std::chrono::weekday(day).c_encoding()], unsigned(date.day()),
                     months[unsigned(date.month()) - 1], int(date.year()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

void check_response(const Response& response) {
  CHECK(response.status >= 200 && response.status <= 599);
  CHECK(is_one_line(response.content_type));
  for (const Header& header : response.headers) {
    CHECK(is_token(header.name));
    CHECK(is_one_line(header.value));
    CHECK(!is_framing(header.name));
  }
}

bool status_has_body(int status) {
  return status != 204 && status != 304;
}

void append_response_head(std::string& out, const Response& response, const ResponseFrame& frame) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status,
                 reason(response.status));
  append_field(out, "Date", frame.date);
  if (status_has_body(response.status)) {
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    if (!frame.streamed)
      append_field(out, "Content-Length", fmt::format_int(response.body.size()).str());
    if (frame.streamed && !frame.http_1_0) append_field(out, "Transfer-Encoding", "chunked");
  }
  append_field(out, "X-Request-Id", frame.request_id);
  append_field(out, "X-Content-Type-Options", "nosniff");
  if (!frame.keep_alive) append_field(out, "Connection", "close");
  if (frame.keep_alive && frame.http_1_0) append_field(out, "Connection", "keep-alive");
  for (const Header& header : response.headers) append_field(out, header.name, header.value);
  out += "\r\n";
}

}  // namespace net
