#include "model/cel/value.h"

#include "model/cel/test_evaluate.h"

namespace model::cel {
namespace {

TEST(CelValue, WhatPassesThroughKeepsItsText) {
  std::string json =
      R"({"big": 123456789012345678901234567890.1230, "s": "\u00e9\/", "o": { "b":1, "a" : [ ] }})";
  EXPECT_EQ(evaluate("inputs", json), json);
  EXPECT_EQ(evaluate("inputs.big", json), "123456789012345678901234567890.1230");
  EXPECT_EQ(evaluate("[inputs.s, inputs.o]", json), R"(["\u00e9\/",{ "b":1, "a" : [ ] }])");
  EXPECT_EQ(evaluate("inputs.l.filter(x, x > 1)", R"({"l": [1.50, 1, 2e0]})"), "[1.50,2e0]");
}

TEST(CelValue, JsonNumbersHaveTheTypeOfTheirText) {
  auto type = [](std::string number) {
    return evaluate(
        "string(type(inputs.n) == int) + ' ' + string(type(inputs.n) == uint) + ' ' +"
        "string(type(inputs.n) == double)",
        "{\"n\": " + number + "}");
  };
  for (const char* text : {"0", "-0", "9223372036854775807", "-9223372036854775808"})
    EXPECT_EQ(type(text), "\"true false false\"") << text;
  for (const char* text : {"9223372036854775808", "18446744073709551615"})
    EXPECT_EQ(type(text), "\"false true false\"") << text;
  for (const char* text : {"1.0", "1e3", "-0.0", "123456789012345678901234567890.5"})
    EXPECT_EQ(type(text), "\"false false true\"") << text;
}

TEST(CelValue, ALargerNumberOnlyPassesThrough) {
  std::string json = R"({"n": 18446744073709551616, "m": -9223372036854775809, "d": 1e400})";
  EXPECT_EQ(evaluate("[inputs.n, inputs.m, inputs.d]", json),
            "[18446744073709551616,-9223372036854775809,1e400]");
  EXPECT_EQ(evaluate("inputs.n > 0", json),
            "error: 1:8: the number 18446744073709551616 is out of range");
  EXPECT_EQ(evaluate("inputs.m + 1", json),
            "error: 1:8: the number -9223372036854775809 is out of range");
  EXPECT_EQ(evaluate("inputs.d * 2.0", json), "error: 1:8: the number 1e400 is out of range");
}

TEST(CelValue, DocumentsAndBuiltValuesMix) {
  std::string json = R"({"l": [1, {"k": [true, null]}], "m": {"a\n": 1}})";
  EXPECT_EQ(evaluate("inputs.l == [1u, {'k': [true, null]}]", json), "true");
  EXPECT_EQ(evaluate("inputs.m == {'a\\n': 1.0}", json), "true");
  EXPECT_EQ(evaluate("inputs.l + [inputs.m]", json), R"([1,{"k": [true, null]},{"a\n": 1}])");
  EXPECT_EQ(evaluate("inputs.m['a\\n']", json), "1");
  EXPECT_EQ(evaluate("inputs.l[1].k[2]", json), "error: 1:14: no element 2 in a list of 2");
  EXPECT_EQ(evaluate("inputs.x", json), "error: 1:8: no member \"x\"");
  EXPECT_EQ(evaluate("has(inputs.x) || 'l' in inputs", json), "true");
}

TEST(CelValue, KeepsItsDocumentAlive) {
  Value text;
  {
    Bindings bindings = inputs(R"({"a": {"b": "kept"}})");
    Budget budget;
    text = *(*compile("inputs.a.b", {.variables = {"inputs"}}))->evaluate(bindings, budget);
  }
  Budget budget;
  EXPECT_EQ(text.read(budget)->as_string(), "kept");
}

TEST(CelValue, CostsNothingUntilItIsRead) {
  std::string json = "{\"big\": \"" + std::string(1 << 20, 'x') + "\", \"n\": 1}";
  Budget budget(100, 1000);
  auto program = *compile("inputs.n == 1 ? inputs.big : inputs.n", {.variables = {"inputs"}});
  EXPECT_TRUE(program->evaluate(inputs(json), budget));
  EXPECT_EQ(budget.bytes_left(), 1000u);
}

}  // namespace
}  // namespace model::cel
