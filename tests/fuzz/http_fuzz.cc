// Fuzzes what reads HTTP: requests one after another, as they come at once and byte by byte, which
// must be the same; queries, path segments, Accept-Encoding and X-Forwarded-For.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "net/gzip.h"
#include "net/request_parser.h"
#include "net/trusted_proxies.h"
#include "net/url.h"

namespace {

using namespace net;

constexpr std::size_t header_bytes_max = 4u << 10;
constexpr std::size_t body_bytes_max = 8u << 10;
constexpr std::size_t requests_max = 20;
constexpr std::size_t unpacked_bytes_max = 1u << 20;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<Request> requests;
  int refused = 0;  // status
};

// `step` bytes more at a time.
Outcome parse(std::string_view input, std::size_t step) {
  RequestParser parser(header_bytes_max, body_bytes_max);
  Outcome outcome;
  parser.reset();
  for (std::size_t given = 0, begin = 0; outcome.requests.size() < requests_max;) {
    RequestParser::Progress progress = parser.put(input.substr(begin, given - begin));
    begin += progress.consumed;
    require(begin <= given);
    switch (progress.state) {
      case RequestParser::State::need_more:
        if (given == input.size()) return outcome;
        given = std::min(given + step, input.size());
        break;
      case RequestParser::State::header_done:
        break;
      case RequestParser::State::done:
        require(parser.request().body.size() <= body_bytes_max);
        outcome.requests.push_back(std::move(parser.request()));
        parser.reset();
        break;
      case RequestParser::State::refused:
        outcome.refused = parser.refusal().status;
        return outcome;
    }
  }
  return outcome;
}

bool same(const Request& a, const Request& b) {
  if (a.headers.size() != b.headers.size()) return false;
  for (std::size_t i = 0; i < a.headers.size(); ++i)
    if (a.headers[i].name != b.headers[i].name || a.headers[i].value != b.headers[i].value)
      return false;
  return a.method == b.method && a.path == b.path && a.query == b.query && a.body == b.body;
}

void read_parts(Request& request) {
  static const TrustedProxies everyone = *TrustedProxies::create("0.0.0.0/0, ::/0");
  if (auto pairs = parse_query(request.query)) require(pairs->size() <= request.query.size() + 1);
  if (auto segment = decode_segment(request.path)) require(segment->size() <= request.path.size());
  accepts_gzip(request.header("accept-encoding"));
  request.client_ip = "127.0.0.1";
  require(!everyone.client_of(request).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  Outcome whole = parse(input, input.size() + 1);
  Outcome slow = parse(input, 1);
  require(whole.requests.size() == slow.requests.size());
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    require(same(whole.requests[i], slow.requests[i]));
    read_parts(whole.requests[i]);
  }
  // One that is not whole may be refused earlier where more of it is seen at once.
  bool both = whole.refused != 0 && slow.refused != 0;
  require(!both || whole.refused == slow.refused);
  if (auto plain = gunzip(input, unpacked_bytes_max))
    require(*gunzip(gzip(*plain), unpacked_bytes_max) == *plain);
  return 0;
}
