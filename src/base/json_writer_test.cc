#include "base/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"

namespace base {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string printed(double value) {
  std::string out;
  append_json_number(out, value);
  return out;
}

TEST(JsonWriter, PlacesCommas) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("a", 1).key("b").begin_array().end_array();
  writer.key("c").begin_array().integer(1).null().begin_object().end_object().boolean(true);
  writer.end_array().member("d", "x").key("e").raw("[ 2 ]").end_object();
  EXPECT_EQ(out, R"({"a":1,"b":[],"c":[1,null,{},true],"d":"x","e":[ 2 ]})");
}

TEST(JsonWriter, TellsTextFromBooleans) {
  std::string out;
  JsonWriter writer(out);
  writer.begin_object().member("text", "true").member("flag", true).member("n", -5).end_object();
  EXPECT_EQ(out, R"({"text":"true","flag":true,"n":-5})");
}

TEST(JsonWriter, EscapesWhatJsonDemands) {
  EXPECT_EQ(escaped("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
  EXPECT_EQ(escaped(std::string_view("\0\x01\x1f\x7f", 4)), R"("\u0000\u0001\u001f\u007f")");
  EXPECT_EQ(escaped("é😀/"), "\"é😀/\"");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(escaped("a\xff\xc3(b"), "\"a\xef\xbf\xbd\xef\xbf\xbd(b\"");
}

TEST(JsonWriter, WritesWhatTheReaderReads) {
  std::string text;
  for (char32_t c = 1; c < 0x300; ++c) text += c < 0x80 ? std::string(1, char(c)) : "é";
  auto document = JsonDocument::parse(escaped(text));
  ASSERT_TRUE(document);
  EXPECT_EQ((*document)->root().string(), text);
}

TEST(JsonWriter, PrintsTheShortestNumber) {
  EXPECT_EQ(printed(0.1), "0.1");
  EXPECT_EQ(printed(3), "3");
  EXPECT_EQ(printed(1e300), "1e+300");
  EXPECT_EQ(printed(std::nan("")), "null");
  EXPECT_EQ(printed(std::numeric_limits<double>::infinity()), "null");
}

TEST(JsonWriter, PrintsIntegersAtTheirEnds) {
  std::string out;
  JsonWriter(out).begin_array().integer(INT64_MIN).integer(INT64_MAX).end_array();
  EXPECT_EQ(out, "[-9223372036854775808,9223372036854775807]");
}

}  // namespace
}  // namespace base
