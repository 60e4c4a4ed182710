#include "cli/output.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

std::string table(std::string text, std::size_t width) {
  auto document = base::JsonDocument::parse(std::move(text));
  return list_table((*document)->root(), nullptr, width);
}

TEST(Output, Table) {
  EXPECT_EQ(table("[]", 0), "");
  EXPECT_EQ(table(R"([{"a":"ü","b":null,"c":1,"d":[1]},{"a":"longer","b":null,"c":null}])", 0),
            "A       C\nü       1\nlonger  -\n");
  EXPECT_EQ(table(R"([{"a":"x","b":"wide value","c":1}])", 12), "A\nx\n");
  EXPECT_EQ(table(R"([{"a":"two\nlines"}])", 0), "A\ntwo lines\n");
}

TEST(Output, ControlCharactersAreShown) {
  EXPECT_EQ(printable("a\x1b[31m\tb\n\x7f\xc2\x9b ü"), "a\\x1b[31m\tb\n\\x7f\\x9b ü");
}

TEST(Output, PrettyJson) {
  auto document = base::JsonDocument::parse(R"({"a":[1,{"b":[]}],"c":{}})");
  EXPECT_EQ(pretty_json((*document)->root()),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}\n");
}

}  // namespace
}  // namespace cli
