// gzip, whole and broken.
#include "net/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace net {
namespace {

std::string gzip(std::string plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gunzip, GivesBackWhatWasCompressed) {
  for (std::size_t size : {0u, 1u, 1000u, 1'000'000u}) {
    std::string plain(size, 'x');
    for (std::size_t i = 0; i < size; i += 7) plain[i] = static_cast<char>(i);
    auto back = gunzip(gzip(plain), size);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(*back == plain);
  }
  EXPECT_EQ(*gunzip(gzip("a") + gzip("b"), 10), "ab");
}

TEST(Gunzip, RefusesEveryBeginning) {
  std::string whole = gzip("some text that is longer than a few bytes");
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(gunzip(whole.substr(0, size), 1000)) << size;
  EXPECT_FALSE(gunzip(whole + "x", 1000));
  whole[whole.size() / 2] ^= 1;
  EXPECT_FALSE(gunzip(whole, 1000));
  EXPECT_FALSE(gunzip("plain", 1000));
}

TEST(Gunzip, StopsAtTheLimit) {
  std::string bomb = gzip(std::string(10 << 20, '\0'));
  EXPECT_TRUE(gunzip(bomb, 10 << 20));
  auto cut = gunzip(bomb, (10 << 20) - 1);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, base::ErrorCode::too_large);
}

}  // namespace
TEST(Gzip, ComesBack) {
  for (std::size_t size : {0u, 1u, 1000u, 3'000'000u}) {
    std::string text;
    while (text.size() < size) text += "line " + std::to_string(text.size()) + '\n';
    auto plain = gunzip(gzip(text), 8u << 20);
    ASSERT_TRUE(plain);
    EXPECT_EQ(*plain, text);
  }
}

TEST(Gzip, AcceptEncoding) {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.5", "br;q=1 , gzip ; q=0.001",
                          "*", "deflate;q=0, *", "x, gzip;level=9"})
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const char* no : {"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "gzipped",
                         "*, gzip;q=0", ",,;", "q=1"})
    EXPECT_FALSE(accepts_gzip(no)) << no;
}

}  // namespace net
