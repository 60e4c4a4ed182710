#include "store/log_chunk.h"

#include <zstd.h>

#include <cstring>

#include "base/check.h"
#include "base/limits.h"

namespace store {

namespace {

constexpr int compression_level = 1;
constexpr std::size_t head_bytes = 8 + 1 + 4;  // time, flags, length
constexpr unsigned char flag_stderr = 1;
constexpr unsigned char flag_cut = 2;
// A chunk is flushed at log_chunk_bytes_max, so one line more than that is all it can hold.
constexpr std::size_t frame_bytes_max = 16u << 20;

template <class N>
void append_little_endian(std::string& out, N value) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class N>
N read_little_endian(const char* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(N); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  return static_cast<N>(value);
}

}  // namespace

std::string encode_log_chunk(const std::vector<LogRecord>& lines) {
  std::string plain;
  for (const LogRecord& line : lines) {
    append_little_endian(plain, base::to_us(line.time));
    plain += static_cast<char>((line.from_stderr ? flag_stderr : 0) | (line.cut ? flag_cut : 0));
    append_little_endian(plain, static_cast<std::uint32_t>(line.text.size()));
    plain += line.text;
  }
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  std::size_t size =
      ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), compression_level);
  CHECK(!ZSTD_isError(size));
  packed.resize(size);
  return packed;
}

base::Result<std::vector<LogRecord>> decode_log_chunk(std::string_view compressed) {
  unsigned long long size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (size > frame_bytes_max) return base::internal_error("damaged log chunk");
  std::string plain(size, '\0');
  std::size_t got =
      ZSTD_decompress(plain.data(), plain.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(got) || got != size) return base::internal_error("damaged log chunk");
  std::vector<LogRecord> lines;
  for (std::size_t at = 0; at < plain.size();) {
    if (plain.size() - at < head_bytes) return base::internal_error("damaged log chunk");
    const char* head = plain.data() + at;
    auto length = read_little_endian<std::uint32_t>(head + 9);
    at += head_bytes;
    if (plain.size() - at < length) return base::internal_error("damaged log chunk");
    auto flags = static_cast<unsigned char>(head[8]);
    lines.push_back({base::from_us(read_little_endian<std::int64_t>(head)),
                     (flags & flag_stderr) != 0, (flags & flag_cut) != 0,
                     plain.substr(at, length)});
    at += length;
  }
  return lines;
}

}  // namespace store
