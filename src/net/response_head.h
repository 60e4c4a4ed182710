// Writes the head of a response: status line, framing and security headers.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/server.h"

namespace net {

/// A name as those of headers and methods (RFC 9110, 5.6.2).
bool is_token(std::string_view text);

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7).
std::string http_date(base::Timestamp now);

/// CHECKs what would break the framing: a status outside 200..599, a header name that is no token,
/// CR, LF or NUL in a value, and headers that are the server's own (Content-Length,
/// Transfer-Encoding, Connection).
void check_response(const Response& response);

/// What a response says that does not come from its handler.
struct ResponseFrame {
  std::string_view date;
  std::string_view request_id;
  bool http_1_0 = false;  // of the request: then keeping the connection must be said
  bool keep_alive = false;
  bool streamed = false;  // its length is not known
};

/// Whether a response of that status carries a body at all (RFC 9110, 6.4.1).
bool status_has_body(int status);

/// Appends everything up to and including the empty line. 204 and 304 get no Content-Length.
void append_response_head(std::string& out, const Response& response, const ResponseFrame& frame);

}  // namespace net
