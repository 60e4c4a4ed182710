#include "base/utf8.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Utf8, EveryScalarValueReadsBack) {
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_EQ(utf8_sequence(text), text.size()) << std::uint32_t(c);
    ASSERT_EQ(utf8_sequence(text.substr(0, text.size() - 1)), 0u) << std::uint32_t(c);
  }
}

TEST(Utf8, RefusesWhatRfc3629Refuses) {
  for (const char* text : {"\x80", "\xbf", "\xc0\xaf", "\xc1\x81", "\xe0\x9f\xbf", "\xed\xa0\x80",
                           "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe",
                           "\xc3(", "\xe2(\xa1", "\xe2\x82(", "\xf0\x9f\x98("})
    EXPECT_FALSE(is_utf8(text));
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("aé€😀"));
}

TEST(Utf8, CutsBeforeASequence) {
  std::string text = "aé€😀";
  std::string_view expected[] = {"",    "a",   "a",   "aé",  "aé",  "aé",
                                 "aé€", "aé€", "aé€", "aé€", "aé€😀"};
  for (std::size_t bytes = 0; bytes <= 10; ++bytes)
    EXPECT_EQ(utf8_prefix(text, bytes), expected[bytes]) << bytes;
}

}  // namespace
}  // namespace base
