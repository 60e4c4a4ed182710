#include "base/json.h"

#include <gtest/gtest.h>

#include <array>

namespace base {
namespace {

using std::string_literals::operator""s;

bool accepts(std::string text) {
  return static_cast<bool>(JsonDocument::parse(std::move(text)));
}

std::string error_of(std::string text) {
  auto parsed = JsonDocument::parse(std::move(text));
  return parsed ? "" : parsed.error().message;
}

std::unique_ptr<const JsonDocument> parse(std::string text) {
  auto parsed = JsonDocument::parse(std::move(text));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(parsed).value();
}

TEST(Json, AcceptsWhatRfc8259Allows) {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "7",
                           "-1.5",
                           "1e5",
                           "1E+5",
                           "1.25e-3",
                           "\"\"",
                           "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                           "\"\\u00e9\\ud83d\\ude00\"",
                           "\"\x7f\"",
                           "\"é😀\"",
                           "[]",
                           "{}",
                           " [ 1 , [ ] , { \"a\" : null } ]\t\r\n",
                           "{\"\":0}",
                           "123456789012345678901234567890",
                           "[[[]]]",
                           "\"\xf4\x8f\xbf\xbf\""})
    EXPECT_TRUE(accepts(text)) << text << ": " << error_of(text);
}

TEST(Json, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "01",
                           "-",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x10",
                           "NaN",
                           "Infinity",
                           "'a'",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\u-123\"",
                           "\"a\nb\"",
                           "\"\t\"",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "[1",
                           "]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:2}",
                           "{\"a\":1 \"b\":2}",
                           "{",
                           "1 2",
                           "[] x",
                           "// c\n1",
                           "\xef\xbb\xbf{}",
                           "1\v",
                           "--1",
                           "\"\\",
                           "\"\\u",
                           "\"\\ud800\\"})
    EXPECT_FALSE(accepts(text)) << text;
}

TEST(Json, RefusesTextThatIsNotUtf8) {
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98"})
    EXPECT_FALSE(accepts("\""s + bad + "\"")) << error_of("\""s + bad + "\"");
}

TEST(Json, RefusesNulHoweverItIsWritten) {
  EXPECT_FALSE(accepts("\"a\\u0000b\""));
  EXPECT_FALSE(accepts("\"a\0b\""s));
  EXPECT_FALSE(accepts("\0"s));
  EXPECT_FALSE(accepts("1\0"s));
}

TEST(Json, RefusesLoneSurrogates) {
  for (const char* text : {"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
                           "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83d\\u0041\""})
    EXPECT_FALSE(accepts(text)) << text;
}

TEST(Json, RefusesRepeatedNames) {
  EXPECT_NE(error_of(R"({"a":1,"b":2,"a":3})").find("'a' is repeated"), std::string::npos);
  EXPECT_FALSE(accepts(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(accepts(R"([{"x":{"k":1,"k":1}}])"));
  EXPECT_TRUE(accepts(R"({"a":{"a":1},"b":{"a":1}})"));
}

TEST(Json, BoundsNesting) {
  auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(accepts(nested(64)));
  EXPECT_NE(error_of(nested(65)).find("64 levels"), std::string::npos);
  EXPECT_FALSE(accepts(std::string(1'000'000, '[')));
  EXPECT_TRUE(JsonDocument::parse("[1]", 1));
  EXPECT_FALSE(JsonDocument::parse("[[]]", 1));
}

TEST(Json, TellsWhereItStopped) {
  EXPECT_EQ(error_of("[1,x]"), "invalid JSON at byte 3: expected a value");
  EXPECT_EQ(error_of("{\"a\" 1}"), "invalid JSON at byte 5: expected ':'");
}

TEST(Json, KeepsTextAsItCame) {
  std::string text = R"({"n": 123456789012345678901234567890.10, "s": "\u0061é"})";
  auto document = parse(text);
  EXPECT_EQ(document->root().find("n")->raw(), "123456789012345678901234567890.10");
  EXPECT_EQ(document->root().find("s")->raw(), R"("\u0061é")");
  EXPECT_EQ(document->root().raw(), text);
}

TEST(Json, ReadsIntegersExactlyOrNotAtAll) {
  auto integer = [](const char* text) { return parse(text)->root().integer(); };
  EXPECT_EQ(integer("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(integer("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(integer("7.0"), 7);
  EXPECT_EQ(integer("7e2"), 700);
  EXPECT_EQ(integer("-0"), 0);
  for (const char* text :
       {"9223372036854775808", "1.5", "1e400", "1e17", "9007199254740993.0", "\"7\"", "true"})
    EXPECT_EQ(integer(text), std::nullopt) << text;
}

TEST(Json, ReadsNumbers) {
  EXPECT_EQ(parse("1.5e1")->root().number(), 15.0);
  EXPECT_EQ(parse("1e400")->root().number(), std::nullopt);
  EXPECT_EQ(parse("[]")->root().number(), std::nullopt);
}

TEST(Json, DecodesStrings) {
  auto document = parse(R"(["\u00e9\ud83d\ude00\n\/\"", "plain"])");
  auto it = document->root().elements().begin();
  EXPECT_EQ((*it).string(), "é😀\n/\"");
  EXPECT_TRUE((*it).string_equals("é😀\n/\""));
  ++it;
  EXPECT_TRUE((*it).string_equals("plain"));
  EXPECT_FALSE((*it).string_equals("plai"));
}

TEST(Json, WalksArraysAndObjects) {
  auto document = parse(R"({"a":[1,[2,3],{"x":4}],"b":{},"c":true})");
  JsonView root = document->root();
  EXPECT_EQ(root.size(), 3u);
  EXPECT_EQ(root.find("a")->size(), 3u);
  std::string names;
  for (JsonView::Member member : root.members())
    names += member.name.string() + "=" + std::string(member.value.raw()) + ";";
  EXPECT_EQ(names, "a=[1,[2,3],{\"x\":4}];b={};c=true;");
  EXPECT_FALSE(root.find("d"));
  EXPECT_FALSE(root.find("a")->find("x"));
}

// The examples of RFC 6901 section 5, and what is no pointer.
TEST(Json, FollowsPointers) {
  auto document = parse(R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"m~n":8," ":7})");
  auto at = [&](std::string_view pointer) {
    auto view = document->root().at_pointer(pointer);
    return view ? std::string(view->raw()) : "nothing";
  };
  EXPECT_EQ(at(""), document->text());
  EXPECT_EQ(at("/foo"), R"(["bar","baz"])");
  EXPECT_EQ(at("/foo/0"), "\"bar\"");
  EXPECT_EQ(at("/"), "0");
  EXPECT_EQ(at("/a~1b"), "1");
  EXPECT_EQ(at("/c%d"), "2");
  EXPECT_EQ(at("/m~0n"), "8");
  EXPECT_EQ(at("/ "), "7");
  for (const char* pointer : {"foo", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/", "/x",
                              "/foo/0/x", "/m~n", "/m~2n", "/foo/99999999999999999999"})
    EXPECT_EQ(at(pointer), "nothing") << pointer;
}

TEST(Json, WritesTheCanonicalForm) {
  auto document =
      parse(R"( {"b": 1.0, "a": [ null, "\u0061\/" , {"y":null,"x":[]} ], "n": null} )");
  std::string out;
  append_canonical_json(out, document->root());
  EXPECT_EQ(out, R"({"a":[null,"a/",{"x":[],"y":null}],"b":1.0,"n":null})");
  out.clear();
  append_canonical_json(out, document->root(), 1);
  EXPECT_EQ(out, R"({"a":[null,"a/",{"x":[],"y":null}],"b":1.0})");
  out.clear();
  append_canonical_json(out, document->root(), 2);
  EXPECT_EQ(out, R"({"a":[null,"a/",{"x":[]}],"b":1.0})");
}

}  // namespace
}  // namespace base
