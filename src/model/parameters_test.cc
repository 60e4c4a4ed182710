// Parameters of a run, the identity of a spec, and the plan made from it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/parameters.h"
#include "model/plan.h"
#include "model/test_catalog.h"

namespace model {
namespace {

std::unique_ptr<const base::JsonDocument> parse(std::string text) {
  auto parsed = base::JsonDocument::parse(std::move(text));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(parsed).value();
}

std::vector<ParameterSpec> declared() {
  ParameterSpec url{.name = "url", .required = true};
  ParameterSpec count{
      .name = "count", .type = ParameterType::integer, .default_value = base::RawJson{"10"}};
  ParameterSpec size{.name = "size",
                     .enumeration = std::vector<base::RawJson>{{"\"s\""}, {"\"l\""}}};
  ParameterSpec more{.name = "more", .type = ParameterType::object};
  return {url, count, size, more};
}

// The resolved parameters, or "path: message; …".
std::string resolve(std::string given) {
  auto resolved = resolve_parameters(declared(), parse(std::move(given))->root());
  if (resolved) return *resolved;
  EXPECT_EQ(resolved.error().code, base::ErrorCode::invalid);
  std::string text;
  for (const base::FieldError& error : resolved.error().fields)
    text += error.path + ": " + error.message + "; ";
  return text;
}

TEST(Parameters, DefaultsAreFilledIn) {
  EXPECT_EQ(resolve(R"({"url":"x"})"), R"({"url":"x","count":10,"size":null,"more":null})");
  EXPECT_EQ(resolve(R"({"count":null,"url":"x"})"),
            R"({"url":"x","count":10,"size":null,"more":null})");
}

TEST(Parameters, PassAsText) {
  EXPECT_EQ(resolve(R"({"url":"\u0061","count":123456789012345678901234567890,"size":"l",)"
                    R"("more":{"a": [1.10]}})"),
            R"({"url":"\u0061","count":123456789012345678901234567890,"size":"l",)"
            R"("more":{"a": [1.10]}})");
}

TEST(Parameters, AllBrokenRulesAreReported) {
  EXPECT_EQ(resolve(R"({"count":1.5,"size":"m","more":[],"other":1})"),
            "/parameters/count: must be of type integer, not a number; "
            "/parameters/size: must be one of the values of its enum; "
            "/parameters/more: must be of type object, not an array; "
            "/parameters/other: there is no such parameter; "
            "/parameters/url: is required; ");
  EXPECT_EQ(resolve("[]"), "/parameters: must be an object, not an array; ");
  EXPECT_EQ(resolve(R"({"url":null})"), "/parameters/url: is required; ");
}

TEST(Parameters, IntegersMayBeWrittenAsNumbers) {
  EXPECT_EQ(resolve(R"({"url":"x","count":1e2})"),
            R"({"url":"x","count":1e2,"size":null,"more":null})");
  EXPECT_TRUE(resolve(R"({"url":"x","count":"1"})").starts_with("/parameters/count"));
}

TEST(Parameters, AreBounded) {
  std::string large(base::limits::parameters_bytes_max, 'x');
  EXPECT_EQ(resolve("{\"url\":\"" + large + "\"}"),
            "/parameters: must have at most 1048576 bytes; ");
}

// ---- identity ----

TEST(CanonicalSpec, IgnoresOrderSpaceNullAndVersion) {
  auto canonical = [](std::string text) { return canonical_spec(parse(std::move(text))->root()); };
  std::string same = canonical(R"({"name":"f","version":"1","tasks":[{"id":"a","type":"t"}]})");
  EXPECT_EQ(same, R"({"name":"f","tasks":[{"id":"a","type":"t"}]})");
  EXPECT_EQ(canonical(R"( {"tasks": [ {"type":"\u0074", "id":"a", "tags":null} ], "name":"f"})"),
            same);
  EXPECT_EQ(canonical(same), same);
  // Null is absence in the spec's own fields, but a value inside of data.
  std::string data =
      R"({"name":"f","tasks":[{"id":"a","inputs":{"x":{"literal":{"y":null}}},"type":"t"}]})";
  EXPECT_EQ(canonical(data), data);
  EXPECT_NE(canonical(R"({"name":"f","tasks":[{"id":"b","type":"t"}]})"), same);
  EXPECT_NE(canonical(R"({"name":"f","tasks":[{"id":"a","type":"t","config":{"version":"1"}}]})"),
            canonical(R"({"name":"f","tasks":[{"id":"a","type":"t","config":{"version":"2"}}]})"));
}

// ---- plans ----

TEST(Plan, ResolvesNamesToIndices) {
  auto plan = load_plan(
      R"({"name":"f","timeout_seconds":1.5,"tasks":[)"
      R"({"id":"c","type":"process","config":{"command":"x"},"depends_on":["a","b"],"retries":2,)"
      R"("inputs":{"l":{"tasks":["b","a"]},"p":{"task":"a","path":"/x"},"v":{"literal":{"k":1}}}},)"
      R"({"id":"a","name":"first","type":"instant"},{"id":"b","type":"instant"}]})",
      "7", test_catalog());
  ASSERT_TRUE(plan) << plan.error().message;
  const Plan& p = **plan;
  EXPECT_EQ(p.flow_version, "7");
  EXPECT_EQ(p.timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(p.tasks[0].parents, (std::vector<TaskIndex>{1, 2}));
  ASSERT_EQ(p.tasks[1].children.size(), 1u);
  EXPECT_EQ(p.tasks[1].children[0].task, 0u);
  EXPECT_EQ(p.tasks[0].attempts_max, 3);
  EXPECT_TRUE(p.tasks[0].type->needs_slot);
  EXPECT_EQ(p.tasks[0].inputs[0].sources, (std::vector<TaskIndex>{2, 1}));
  EXPECT_EQ(p.tasks[0].inputs[1].text, "/x");
  EXPECT_EQ(p.tasks[0].inputs[2].text, R"({"k":1})");
  EXPECT_EQ(p.tasks[1].name, "first");
  EXPECT_EQ(p.tasks[2].name, "b");
  EXPECT_EQ(p.outputs, std::vector<TaskIndex>{0});
  EXPECT_FALSE(p.output_is_single);
}

TEST(Plan, NamedOutputsComeInTheirOrder) {
  auto two = load_plan(R"({"name":"f","outputs":["b","a"],"tasks":[{"id":"a","type":"instant"},)"
                       R"({"id":"b","type":"instant"}]})",
                       "1", test_catalog());
  EXPECT_EQ((*two)->outputs, (std::vector<TaskIndex>{1, 0}));
  auto one = load_plan(R"({"name":"f","outputs":["a"],"tasks":[{"id":"a","type":"instant"}]})", "1",
                       test_catalog());
  EXPECT_TRUE((*one)->output_is_single);
}

TEST(Plan, OfADamagedRowIsAnError) {
  EXPECT_FALSE(load_plan("{", "1", test_catalog()));
  EXPECT_FALSE(
      load_plan(R"({"name":"f","tasks":[{"id":"a","type":"gone"}]})", "1", test_catalog()));
}

}  // namespace
}  // namespace model
