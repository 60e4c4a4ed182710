// From bytes to a Request: the head by Beast's parser, the body by length or chunks. Every rule
// that keeps two readers of one byte stream from disagreeing (request smuggling) is enforced here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "net/chunk_decoder.h"
#include "net/server.h"

namespace net {

/// Why a request is not accepted. The connection closes after it.
struct Refusal {
  int status = 0;
  std::string_view message;  // static text
};

class RequestParser {
 public:
  enum class State { need_more, header_done, done, refused };
  struct Progress {
    std::size_t consumed = 0;
    State state = State::need_more;
  };

  RequestParser(std::size_t header_bytes_max, std::size_t body_bytes_max);
  ~RequestParser();

  /// Ready for the next request.
  void reset();
  /// Reads on. `header_done` comes once, and only when a body follows; call again for the body.
  /// Bytes not consumed are to be given again, followed by more.
  Progress put(std::string_view bytes);

  const Refusal& refusal() const { return refusal_; }
  /// What was read so far; after `done` the caller moves it out.
  Request& request() { return request_; }
  bool in_body() const { return in_body_; }
  bool keep_alive() const { return keep_alive_; }
  bool is_http_1_0() const { return http_1_0_; }
  bool expects_continue() const { return expects_continue_; }

 private:
  class Head;

  Progress put_head(std::string_view bytes);
  Progress put_body(std::string_view bytes);
  Progress finish_head(std::size_t consumed);
  Refusal check_head() const;
  bool split_target();
  Progress refuse(std::size_t consumed, int status, std::string_view message);

  const std::size_t header_bytes_max_;
  const std::size_t body_bytes_max_;
  std::unique_ptr<Head> head_;
  Request request_;
  Refusal refusal_;
  ChunkDecoder chunks_;
  std::size_t header_bytes_ = 0;
  std::uint64_t body_left_ = 0;
  bool in_body_ = false;
  bool chunked_ = false;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool expects_continue_ = false;
};

}  // namespace net
