// Decodes a chunked request body (RFC 9112, 7.1). Extensions and trailers are read and dropped.
// Strict on purpose: bare CR or LF, spaces around a size and over-long lines are refused, since a
// proxy that reads them differently could be made to smuggle a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace net {

class ChunkDecoder {
 public:
  enum class State { need_more, done, bad, too_large };

  explicit ChunkDecoder(std::size_t body_bytes_max = 0) : body_bytes_max_(body_bytes_max) {}

  /// Appends decoded bytes to `body` and takes what it read off `bytes`. After `done` the rest of
  /// `bytes` belongs to the next request.
  State put(std::string_view& bytes, std::string& body);

 private:
  enum class At {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    line,
    trailer,
    trailer_lf,
    end_lf,
    done
  };

  State put_data(std::string_view& bytes, std::string& body);
  State put_line_byte(char c, std::size_t body_bytes);
  State put_size(char c);
  State end_of_size(std::size_t body_bytes);
  State put_trailer(char c);
  State expect(char c, char expected, At next);

  std::size_t body_bytes_max_;
  std::uint64_t left_ = 0;      // bytes of the present chunk still to come
  std::size_t line_bytes_ = 0;  // of the present size line, or of all trailers
  int digits_ = 0;
  At at_ = At::size;
};

}  // namespace net
