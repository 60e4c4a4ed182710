#include "net/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/ascii.h"
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

std::string gzip(std::string_view bytes) {
  constexpr int gzip_window = 16 + MAX_WBITS;
  constexpr int memory_level = 8;
  z_stream stream{};
  CHECK(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, gzip_window, memory_level,
                     Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

namespace {

std::string_view take_until(std::string_view& text, char separator) {
  std::size_t end = std::min(text.find(separator), text.size());
  std::string_view part = base::trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

// "q=0", "q=0.0", …: the coding is refused.
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = take_until(parameters, ';');
    if (parameter.starts_with("q=") || parameter.starts_with("Q="))
      return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
  }
  return false;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view entry = take_until(accept_encoding, ',');
    std::string_view coding = take_until(entry, ';');
    if (base::equals_ignoring_case(coding, "gzip")) return !is_refused(entry);
    if (coding == "*") any = !is_refused(entry);
  }
  return any;
}

}  // namespace net
