#include "net/url.h"

#include <gtest/gtest.h>

using base::ErrorCode;
using net::QueryPairs;

namespace {

ErrorCode query_error(std::string_view query) {
  auto pairs = net::parse_query(query);
  EXPECT_FALSE(pairs) << query;
  return pairs ? ErrorCode::internal : pairs.error().code;
}

ErrorCode segment_error(std::string_view segment) {
  auto decoded = net::decode_segment(segment);
  EXPECT_FALSE(decoded) << segment;
  return decoded ? ErrorCode::internal : decoded.error().code;
}

}  // namespace

TEST(Url, DecodesSegments) {
  EXPECT_EQ(*net::decode_segment(""), "");
  EXPECT_EQ(*net::decode_segment("plain"), "plain");
  EXPECT_EQ(*net::decode_segment("a%2Fb%2fc"), "a/b/c");
  EXPECT_EQ(*net::decode_segment("a+b"), "a+b");
  EXPECT_EQ(*net::decode_segment("%C3%A9"), "é");
  EXPECT_EQ(*net::decode_segment("%2525"), "%25");
}

TEST(Url, RefusesBadSegments) {
  for (const char* bad : {"%", "%2", "%zz", "%2g", "abc%", "%00", "%FF", "%C3", "%ED%A0%80"})
    EXPECT_EQ(segment_error(bad), ErrorCode::malformed) << bad;
  EXPECT_EQ(segment_error(std::string_view("a\0b", 3)), ErrorCode::malformed);
}

TEST(Url, ParsesQueries) {
  EXPECT_EQ(*net::parse_query(""), QueryPairs{});
  EXPECT_EQ(*net::parse_query("a=1&b=2"), (QueryPairs{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(*net::parse_query("a=1&a=2"), (QueryPairs{{"a", "1"}, {"a", "2"}}));
  EXPECT_EQ(*net::parse_query("q=x+y%2Bz"), (QueryPairs{{"q", "x y+z"}}));
  EXPECT_EQ(*net::parse_query("flag&empty=&=v"),
            (QueryPairs{{"flag", ""}, {"empty", ""}, {"", "v"}}));
  EXPECT_EQ(*net::parse_query("&&a=b=c&"), (QueryPairs{{"a", "b=c"}}));
  EXPECT_EQ(*net::parse_query("a%26b=c%3Dd"), (QueryPairs{{"a&b", "c=d"}}));
}

TEST(Url, RefusesBadQueries) {
  for (const char* bad : {"a=%", "%=a", "a=%F", "a=%00", "a=%80", "a=1&b=%C0%80"})
    EXPECT_EQ(query_error(bad), ErrorCode::malformed) << bad;
}

TEST(Url, EncodesWhatItDecodes) {
  EXPECT_EQ(net::percent_encode("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(net::percent_encode("a b/c?d&e=f+g%é"), "a%20b%2Fc%3Fd%26e%3Df%2Bg%25%C3%A9");
  for (int byte = 1; byte < 128; ++byte) {
    std::string text(3, static_cast<char>(byte));
    EXPECT_EQ(*net::decode_segment(net::percent_encode(text)), text);
    EXPECT_EQ(*net::parse_query("k=" + net::percent_encode(text)), (QueryPairs{{"k", text}}));
  }
}
