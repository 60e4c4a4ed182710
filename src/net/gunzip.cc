#include "net/gunzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>

#include "base/check.h"

namespace net {

base::Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  constexpr int gzip_only = 16 + MAX_WBITS;
  z_stream stream{};
  CHECK(inflateInit2(&stream, gzip_only) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string plain;
  std::array<char, 64 << 10> buffer;
  int code = Z_OK;
  while (code == Z_OK && plain.size() <= bytes_max) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = buffer.size();
    code = inflate(&stream, Z_NO_FLUSH);
    plain.append(buffer.data(), buffer.size() - stream.avail_out);
    if (code == Z_STREAM_END && stream.avail_in > 0) code = inflateReset(&stream);
  }
  inflateEnd(&stream);
  if (plain.size() > bytes_max)
    return base::Error{base::ErrorCode::too_large,
                       fmt::format("the answer has more than {} bytes", bytes_max)};
  if (code != Z_STREAM_END) return base::malformed("the compressed answer is damaged or not whole");
  return plain;
}

}  // namespace net
