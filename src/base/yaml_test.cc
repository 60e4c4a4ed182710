#include "base/yaml.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace base {
namespace {

std::string json(std::string_view yaml) {
  Result<std::string> read = yaml_to_json(yaml);
  return read ? *read : read.error().message;
}

TEST(Yaml, TypesOfTheCoreSchema) {
  EXPECT_EQ(json("[null, ~, Null, , true, FALSE]"),
            "line 1, column 17: did not find expected node content");
  EXPECT_EQ(json("[null, ~, NULL, true, FALSE]"), "[null,null,null,true,false]");
  EXPECT_EQ(json("[no, yes, on, off, y, tRUE, nUll]"),
            R"(["no","yes","on","off","y","tRUE","nUll"])");
  EXPECT_EQ(json("[0, -7, +7, 007, 0o17, 0x1F, 123456789012345678901234567890]"),
            "[0,-7,7,7,15,31,123456789012345678901234567890]");
  EXPECT_EQ(json("[1.5, .5, -.5, 1., 1e3, 1.5E-3, 00.10]"), "[1.5,0.5,-0.5,1.0,1e3,1.5e-3,0.10]");
  EXPECT_EQ(json("[1_000, 0b1, 12:30:45, 2026-01-01, 1.2.3, 0x, 0o8, -, +, ., e3, 1e]"),
            R"(["1_000","0b1","12:30:45","2026-01-01","1.2.3","0x","0o8","-","+",".","e3","1e"])");
  EXPECT_EQ(json("a:"), R"({"a":null})");
}

TEST(Yaml, QuotesMakeText) {
  EXPECT_EQ(json("['5', \"true\", !!str 5, ! 7]"), R"(["5","true","5","7"])");
  EXPECT_EQ(json("a: |\n  5\n  6\n"), R"({"a":"5\n6\n"})");
  EXPECT_EQ(json("{5: a, true: b}"), R"({"5":"a","true":"b"})");
}

TEST(Yaml, RefusalsSayWhere) {
  EXPECT_EQ(json(""), "line 1, column 1: the file is empty");
  EXPECT_EQ(json("a: 1\nb: .inf"),
            "line 2, column 4: there are no infinities and no NaN; as a text it needs quotes");
  EXPECT_EQ(json("a: 1\na: 2"), "line 2, column 1: 'a' is there twice");
  EXPECT_EQ(json("a: 1\n---\nb: 2"), "line 2, column 1: a second document begins");
  EXPECT_EQ(json("a: !x 1"), "line 1, column 4: tag !x is not known");
  EXPECT_EQ(json("a: !x [1]"), "line 1, column 4: tag !x is not known");
  EXPECT_EQ(json("? [a]\n: 1"), "line 1, column 3: a name must be a text");
  EXPECT_EQ(json("a: \"\\0\""), "line 1, column 4: U+0000 is not allowed");
  EXPECT_EQ(json("a: 0xfffffffffffffffff"), "line 1, column 4: this integer has more than 64 bits");
  EXPECT_EQ(json("a: [1\nb: 2").substr(0, 7), "line 2,");
  EXPECT_NE(json("a: \xff").find("line"), std::string::npos);
  EXPECT_FALSE(yaml_to_json("a: \xff"));
}

TEST(Yaml, Anchors) {
  EXPECT_EQ(json("a: &x {b: [1]}\nc: *x"), R"({"a":{"b":[1]},"c":{"b":[1]}})");
  EXPECT_EQ(json("a: *x"), "line 1, column 4: *x names nothing that has ended before it");
  EXPECT_EQ(json("&x [*x]"), "line 1, column 5: *x names nothing that has ended before it");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += "*a" + std::to_string(i - 1) + ", ";
    bomb += "]\n";
  }
  EXPECT_NE(json(bomb).find("the document is larger than"), std::string::npos);
}

TEST(Yaml, Depth) {
  std::string fits =
      std::string(limits::json_depth_max, '[') + std::string(limits::json_depth_max, ']');
  EXPECT_EQ(json(fits), fits);
  EXPECT_NE(json('[' + fits + ']').find("nested deeper than 64"), std::string::npos);
}

TEST(Yaml, PrintsWhatItReads) {
  for (std::string text :
       {R"({"a":1,"b":[1,{"c":"no","d":[]},[2,3],{}],"e f":"12:30","g":"x: y","h":null})", R"([])",
        R"("a\nb")", R"(["","~","- a","#","1","-"])", R"([[["a"]]])", R"(-1.50)",
        R"({"":{"a":{"b":"\"'\\ü"}}})"}) {
    auto document = JsonDocument::parse(text);
    ASSERT_TRUE(document);
    std::string yaml = json_to_yaml((*document)->root());
    EXPECT_EQ(json(yaml), text) << yaml;
  }
  auto document = JsonDocument::parse(R"({"a":[{"b":1,"c":2}],"d":{"e":"f"}})");
  EXPECT_EQ(json_to_yaml((*document)->root()), "a:\n  - b: 1\n    c: 2\nd:\n  e: f\n");
}

}  // namespace
}  // namespace base
