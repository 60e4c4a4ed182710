#include "model/cel/template.h"

#include <array>

#include "model/cel/test_evaluate.h"

namespace model::cel {
namespace {

const Scope scope{.variables = {"inputs", "run"}};

struct Compiled {
  Template compiled;
  base::FieldErrors errors;
};

Compiled compile_template(std::string json) {
  static constexpr std::array<std::string_view, 1> verbatim = {"code"};
  Compiled result;
  auto config = document(std::move(json));
  base::Path root;
  result.compiled =
      Template::compile(config->root(), scope, verbatim, root.member("config"), result.errors);
  return result;
}

std::string render(std::string json, std::string inputs_json = "{}") {
  Compiled result = compile_template(std::move(json));
  if (!result.errors.empty()) return "error: " + std::move(result.errors).error().message;
  Budget budget;
  auto text = result.compiled.render(inputs(std::move(inputs_json)), budget);
  return text ? *text : "error: " + text.error().message;
}

TEST(CelTemplate, PassesAllElseThroughByteByByte) {
  std::string json = R"( { "a" : [ 1.50, "\u00e9 } }" ], "b":{"{{ x }}": null} } )";
  EXPECT_EQ(" " + render(json) + " ", json);
  EXPECT_FALSE(compile_template(json).compiled.has_expressions());
}

TEST(CelTemplate, AStringThatIsOneExpressionKeepsTheType) {
  EXPECT_EQ(
      render(R"({"n": "{{ inputs.n }}", "l": ["{{inputs.l}}"]})", R"({"n": 1.50, "l": [1, "x"]})"),
      R"({"n": 1.50, "l": [[1, "x"]]})");
  EXPECT_EQ(render(R"("{{ 1 + 1 }}")"), "2");
}

TEST(CelTemplate, InOtherStringsValuesBecomeText) {
  EXPECT_EQ(render(R"({"q": "id={{ inputs.id }}; {{inputs.name}}{{ [1, 'a'] }}"})",
                   R"({"id": 7, "name": "\"é\""})"),
            R"({"q": "id=7; \"é\"[1,\"a\"]"})");
  EXPECT_EQ(render(R"(" {{ 1 }}")"), R"(" 1")");
  EXPECT_EQ(render(R"("{{ duration('90s') }} {{ b'a' }} {{ null }} {{ 2.0 }}")"),
            R"("90s YQ== null 2.0")");
}

TEST(CelTemplate, FindsTheEndBehindStringsAndMaps) {
  EXPECT_EQ(render(R"("{{ '}}' + '{{' }}")"), R"("}}{{")");
  EXPECT_EQ(render(R"("{{ {'a': {'b': 1}}}} x")"), R"("{\"a\":{\"b\":1}} x")");
  EXPECT_EQ(render(R"("{{ '{{' }} and }} stay")"), R"("{{ and }} stay")");
  EXPECT_EQ(render(R"("\u007b{ 1 }\u007d")"), "1");
}

TEST(CelTemplate, LeavesVerbatimMembersAlone) {
  std::string json = R"({"code": "{{ not an expression", "inner": {"code": "{{ 1 }}"}})";
  EXPECT_EQ(render(json), R"({"code": "{{ not an expression", "inner": {"code": 1}})");
}

TEST(CelTemplate, ReportsEveryErrorWithItsPath) {
  Compiled result = compile_template(
      R"({"a": ["ok", "x {{ input.y }}"], "b/c": "{{ 1 + }}", "d": "{{ 1", "e": "{{}}"})");
  base::Error error = std::move(result.errors).error();
  EXPECT_EQ(error.fields, (std::vector<base::FieldError>{
                              {"/config/a/1", "1:6: no variable 'input'; there are: inputs, run"},
                              {"/config/b~1c", "1:8: '}' where an expression should be"},
                              {"/config/d", "1:5: '}}' is missing"},
                              {"/config/e", "1:3: '}' where an expression should be"}}));
}

TEST(CelTemplate, TellsWhereItFails) {
  EXPECT_EQ(render(R"({"a": ["{{ inputs.x }}"]})"), "error: /config/a/0: 1:11: no member \"x\"");
}

TEST(CelTemplate, TellsWhatItReads) {
  Compiled result =
      compile_template(R"({"a": "{{ inputs.x }} {{ run.id }}", "b": "{{ inputs['y'] }}"})");
  EXPECT_TRUE(result.compiled.has_expressions());
  EXPECT_EQ(result.compiled.reads(),
            (Reads{{"inputs", {false, {"x", "y"}}}, {"run", {false, {"id"}}}}));
}

TEST(CelTemplate, BoundsTheNumberOfExpressions) {
  std::string json = "[";
  for (int i = 0; i < 1001; ++i) json += std::string(i > 0 ? "," : "") + R"("{{ 1 }}")";
  EXPECT_EQ(compile_template(json + "]").errors.count(), 1u);
}

}  // namespace
}  // namespace model::cel
