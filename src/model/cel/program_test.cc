#include "model/cel/program.h"

#include "model/cel/test_evaluate.h"

namespace model::cel {
namespace {

TEST(Cel, ComputesExactly) {
  EXPECT_EQ(evaluate("1 + 2 * 3"), "7");
  EXPECT_EQ(evaluate("9223372036854775806 + 1"), "9223372036854775807");
  EXPECT_EQ(evaluate("9223372036854775807 + 1"), "error: 1:21: the result does not fit 64 bits");
  EXPECT_EQ(evaluate("7 / 2"), "3");
  EXPECT_EQ(evaluate("-7 % 3"), "-1");
  EXPECT_EQ(evaluate("1 / 0"), "error: 1:3: division by zero");
  EXPECT_EQ(evaluate("18446744073709551615u"), "18446744073709551615");
}

TEST(Cel, ADoubleStaysOne) {
  EXPECT_EQ(evaluate("1.5 + 1.5"), "3.0");
  EXPECT_EQ(evaluate("1e21"), "1e+21");
  EXPECT_EQ(evaluate("1e20"), "100000000000000000000.0");
  EXPECT_EQ(evaluate("1.0 / 0.0"), "error: JSON has no text for Infinity");
}

TEST(Cel, NumbersCompareAcrossTypes) {
  EXPECT_EQ(evaluate("[1 == 1u, 1u == 1.0, 1 < 1.5, -1 < 0u]"), "[true,true,true,true]");
  EXPECT_EQ(evaluate("{1: 'a'}[1.0]"), "\"a\"");
}

TEST(Cel, AnOperandThatDecidesWinsOverErrors) {
  EXPECT_EQ(evaluate("1 / 0 == 0 || true"), "true");
  EXPECT_EQ(evaluate("1 / 0 == 0 && false"), "false");
  EXPECT_EQ(evaluate("1 / 0 == 0 || false"), "error: 1:3: division by zero");
  EXPECT_EQ(evaluate("[1, 0].exists(n, 1 / n == 1)"), "true");
}

TEST(Cel, StringsCountCodePoints) {
  EXPECT_EQ(evaluate("size('äö😀')"), "3");
  EXPECT_EQ(evaluate("'äö😀x'.substring(2, 3)"), "\"😀\"");
  EXPECT_EQ(evaluate("'äö'.charAt(5)"), "error: 1:6: no character 5 in the string");
}

TEST(Cel, ReplaceOfNothingIsBetweenAllCharacters) {
  EXPECT_EQ(evaluate("'äb'.replace('', '-')"), "\"-ä-b-\"");
  EXPECT_EQ(evaluate("'äb'.replace('', '-', 2)"), "\"-ä-b\"");
  EXPECT_EQ(evaluate("''.replace('', '-')"), "\"-\"");
}

TEST(Cel, SplitsAndJoins) {
  EXPECT_EQ(evaluate("'a,b,c'.split(',')"), R"(["a","b","c"])");
  EXPECT_EQ(evaluate("'a,b,c'.split(',', 2)"), R"(["a","b,c"])");
  EXPECT_EQ(evaluate("'äb'.split('')"), R"(["ä","b"])");
  EXPECT_EQ(evaluate("''.split(',')"), R"([""])");
  EXPECT_EQ(evaluate("['a', 'b'].join(', ')"), "\"a, b\"");
}

TEST(Cel, MacrosGoOverListsAndMaps) {
  EXPECT_EQ(evaluate("inputs.rows.filter(r, r.ok).map(r, r.id)",
                     R"({"rows": [{"ok": true, "id": 1}, {"ok": false, "id": 2}]})"),
            "[1]");
  EXPECT_EQ(evaluate("inputs.transformMap(k, v, v + 1)", R"({"a": 1})"), R"({"a":2})");
  EXPECT_EQ(evaluate("[3, 4].map(x, [x].map(y, x * y)[0] + x)"), "[12,20]");
  EXPECT_EQ(evaluate("cel.bind(a, 2, a * a)"), "4");
}

TEST(Cel, WritesDownWhatJsonHasNoTypeFor) {
  EXPECT_EQ(evaluate("timestamp('2024-02-29T14:00:00.5+02:00')"), "\"2024-02-29T12:00:00.500Z\"");
  EXPECT_EQ(evaluate("duration('-90m')"), "\"-5400s\"");
  EXPECT_EQ(evaluate("b'\\xff\\x00'"), "\"/wA=\"");
  EXPECT_EQ(evaluate("{1: 'a', true: 'b'}"), R"({"1":"a","true":"b"})");
  EXPECT_EQ(evaluate("{1: 'a', '1': 'b'}"), "error: two keys of the map are \"1\" in JSON");
  EXPECT_EQ(evaluate("'\\u0000'"), "error: JSON has no text for U+0000");
  EXPECT_EQ(evaluate("type(1)"), "error: JSON has no text for the type int");
}

TEST(Cel, RefusesNamesThatThereAreNot) {
  EXPECT_EQ(evaluate("true && input.rows"),
            "error: 1:9: no variable 'input'; there are: inputs, tasks");
  EXPECT_EQ(evaluate("inputs.x +\n  length(inputs.y)"), "error: 2:3: there is no length(dyn)");
  EXPECT_EQ(evaluate("[1].all(x, y)"), "error: 1:12: no variable 'y'; there are: inputs, tasks, x");
  EXPECT_EQ(evaluate("inputs.?a"), "error: 1:8: optional values are not part of this language");
  EXPECT_EQ(evaluate("Point{x: 1}"), "error: 1:6: messages are not part of this language");
}

TEST(Cel, RefusesWhatCanOnlyFail) {
  EXPECT_EQ(evaluate("1 + 'a'"), "error: 1:3: there is no int + string");
  EXPECT_EQ(evaluate("size(1)"), "error: 1:1: there is no size(int)");
  EXPECT_EQ(evaluate("'a'.startsWith(1)"), "error: 1:5: there is no string.startsWith(int)");
  EXPECT_EQ(evaluate("1 && true"), "error: 1:1: an operand of && is a bool, this is int");
  EXPECT_EQ(evaluate("'a'.matches('(')"), "error: 1:13: no regular expression: missing ): (");
}

TEST(Cel, HoldsTheResultToItsType) {
  Scope when{.variables = {"inputs"}, .result = Type::boolean};
  EXPECT_EQ(compile("size(inputs.rows)", when).error().message,
            "1:1: the result must be bool, this is int");
  auto program = *compile("inputs.ok", when);
  Budget budget;
  EXPECT_TRUE(program->evaluate(inputs(R"({"ok": true})"), budget)->as_boolean());
  EXPECT_EQ(program->evaluate(inputs(R"({"ok": 1})"), budget).error().message,
            "1:8: the result must be bool, this is int");
}

TEST(Cel, TellsWhereTheSyntaxIsWrong) {
  EXPECT_EQ(evaluate(""), "error: 1:1: an expression is missing");
  EXPECT_EQ(evaluate("(1 + 2"), "error: 1:7: ')' is missing");
  EXPECT_EQ(evaluate("1 2"), "error: 1:3: '2' where the end should be");
  EXPECT_EQ(evaluate("'äö' + 'open"), "error: 1:8: no ' ends this string");
  EXPECT_EQ(evaluate("a = 1"), "error: 1:3: '=' where the end should be");
  EXPECT_EQ(evaluate("9223372036854775808"),
            "error: 1:1: 9223372036854775808 does not fit 64 bits");
}

TEST(Cel, BoundsSizeAndNesting) {
  EXPECT_EQ(evaluate(std::string(5000, ' ')), "error: an expression has at most 4096 bytes");
  for (const auto& [open, close] : {std::pair("(", ")"), std::pair("[", "]"), std::pair("-", ""),
                                    std::pair("{1: ", "}"), std::pair("size(", ")")}) {
    std::string deep;
    for (int i = 0; i < 800; ++i) deep += open;
    deep += "1";
    for (int i = 0; i < 800 && deep.size() < 4096; ++i) deep += close;
    EXPECT_NE(evaluate(deep.substr(0, 4096)).find("nested more than 128 levels"),
              std::string::npos);
  }
  std::string sum = "1";
  for (int i = 0; i < 500; ++i) sum += "+1";
  EXPECT_NE(evaluate(sum).find("nested more than 128 levels"), std::string::npos);
  std::string row = "true";
  for (int i = 0; i < 500; ++i) row += "&&true";
  EXPECT_EQ(evaluate(row), "true");
}

TEST(Cel, StopsWhenTheBudgetIsUsedUp) {
  std::string square = "[1,2,3,4,5,6,7,8,9,10].map(a, inputs.l.map(b, a * b)).size()";
  EXPECT_EQ(evaluate(square, R"({"l": [1, 2, 3]})"), "10");
  EXPECT_EQ(evaluate(square, R"({"l": [1, 2, 3]})", Budget(100, 1 << 20)).substr(0, 7), "error: ");
  EXPECT_EQ(evaluate("inputs.s + inputs.s", R"({"s": "0123456789"})", Budget(100, 30)),
            "error: 1:10: the expression used up its budget of bytes");
  // No operand gives way to it.
  EXPECT_NE(evaluate("[1,2,3,4,5,6,7,8,9].all(x, x > 0) || true", "{}", Budget(20, 1 << 20)),
            "true");
}

TEST(Cel, DoublingTextEndsSoon) {
  std::string source = "'0123456789'";
  for (int i = 0; i < 40; ++i)
    source = "cel.bind(s" + std::to_string(i) + ", " + source + ", s" + std::to_string(i) + " + s" +
             std::to_string(i) + ")";
  EXPECT_NE(evaluate(source).find("used up its budget of "), std::string::npos);
}

TEST(Cel, TellsWhatItReads) {
  auto reads = [](std::string_view source) {
    return (*compile(source, {.variables = {"inputs", "tasks"}}))->reads();
  };
  EXPECT_EQ(reads("inputs.rows[0].x + inputs['n'] + tasks['a-b'].y"),
            (Reads{{"inputs", {false, {"n", "rows"}}}, {"tasks", {false, {"a-b"}}}}));
  EXPECT_EQ(reads("has(inputs.a) && tasks[inputs.b]"),
            (Reads{{"inputs", {false, {"a", "b"}}}, {"tasks", {true, {}}}}));
  EXPECT_EQ(reads("inputs.all(inputs, inputs == 'x')"), (Reads{{"inputs", {true, {}}}}));
  EXPECT_EQ(reads("1 + 1"), Reads{});
}

}  // namespace
}  // namespace model::cel
