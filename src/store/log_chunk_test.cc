#include "store/log_chunk.h"

#include <gtest/gtest.h>

namespace store {
namespace {

std::vector<LogRecord> sample() {
  return {{base::from_us(1), false, false, "hello"},
          {base::from_us(-5), true, true, std::string("\0\xff bytes", 8)},
          {base::from_us(INT64_MAX), false, false, ""}};
}

TEST(LogChunk, ComesBackAsItWas) {
  auto decoded = decode_log_chunk(encode_log_chunk(sample()));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, sample());
}

TEST(LogChunk, DamagedBytesAreAnError) {
  std::string chunk = encode_log_chunk(sample());
  EXPECT_FALSE(decode_log_chunk(""));
  EXPECT_FALSE(decode_log_chunk("not zstd at all"));
  for (std::size_t cut = 0; cut < chunk.size(); ++cut)
    EXPECT_FALSE(decode_log_chunk(std::string_view(chunk).substr(0, cut))) << cut;
}

}  // namespace
}  // namespace store
