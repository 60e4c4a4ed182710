#include "model/flow_spec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "model/test_catalog.h"

namespace model {
namespace {

using Texts = std::vector<std::string>;

std::unique_ptr<const base::JsonDocument> parse(std::string text) {
  auto parsed = base::JsonDocument::parse(std::move(text));
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return std::move(parsed).value();
}

// "path: message" of every broken rule.
Texts errors_of(std::string text) {
  auto document = parse(std::move(text));
  base::FieldErrors errors;
  read_flow_spec(document->root(), test_catalog(), base::Path{}, errors);
  Texts out;
  if (errors.empty()) return out;
  for (const base::FieldError& error : std::move(errors).error().fields)
    out.push_back(error.path + ": " + error.message);
  return out;
}

FlowSpec read(std::string text) {
  auto document = parse(std::move(text));
  base::FieldErrors errors;
  FlowSpec spec = read_flow_spec(document->root(), test_catalog(), base::Path{}, errors);
  EXPECT_TRUE(errors.empty()) << std::move(errors).error().message;
  return spec;
}

// A flow of these tasks, with further members of the flow.
std::string flow(std::string_view tasks, std::string_view more = "") {
  return fmt::format(R"({{"name":"f","tasks":[{}]{}{}}})", tasks, more.empty() ? "" : ",", more);
}

// A flow of one instant task with these further members.
std::string task(std::string_view more) {
  return flow(fmt::format(R"({{"id":"a","type":"instant",{}}})", more));
}

// An instant task with its parents.
std::string node(std::string_view id, const Texts& parents = {}, std::string_view more = "") {
  std::string list;
  for (const std::string& parent : parents) list += (list.empty() ? "\"" : ",\"") + parent + '"';
  return fmt::format(R"({{"id":"{}","type":"instant","depends_on":[{}]{}{}}})", id, list,
                     more.empty() ? "" : ",", more);
}

TEST(FlowSpec, ReadsEveryField) {
  FlowSpec spec = read(
      R"({"name":"etl","version":"1.0","description":"d","namespace":"n","tags":{"k":"v"},)"
      R"("parameters":[{"name":"p","type":"integer","required":true,"default":3,"enum":[3,4]}],)"
      R"("tasks":[{"id":"a","type":"process","config":{"command":"x"},"retries":3,)"
      R"("retry_delay_seconds":[1,5.5],"retry_jitter_factor":0.5,"timeout_seconds":60,)"
      R"("retry_on":["timeout","exception:ValueError"]},)"
      R"({"id":"b","name":"B","type":"instant","depends_on":["a"],"trigger_rule":"all_success",)"
      R"("inputs":{"x":{"task":"a","path":"/r"},"l":{"literal":[1,{"u":null}]},)"
      R"("n":{"literal":null},"p":{"parameter":"p"},"all":{"tasks":["a"]}}}],)"
      R"("edges":[{"source":"a","target":"b"}],"outputs":["b"],"fail_fast":false,)"
      R"("max_parallel":2,"timeout_seconds":3600})");
  EXPECT_EQ(spec.tasks[0].retry_delay_seconds->seconds, (std::vector<double>{1, 5.5}));
  EXPECT_EQ(spec.tasks[1].inputs.at("x").path, "/r");
  EXPECT_EQ(spec.tasks[1].inputs.at("l").literal->text, R"([1,{"u":null}])");
  EXPECT_EQ(spec.parameters[0].enumeration->size(), 2u);
  EXPECT_FALSE(spec.fail_fast);
  EXPECT_EQ(spec.max_parallel, 2);
}

TEST(FlowSpec, FillsInDefaults) {
  FlowSpec spec = read(flow(node("a")));
  EXPECT_TRUE(spec.fail_fast);
  EXPECT_EQ(spec.max_parallel, 64);
  EXPECT_FALSE(spec.tasks[0].retry_delay_seconds);
  EXPECT_EQ(spec.tasks[0].config.text, "{}");
}

TEST(FlowSpec, TakesNullAsAbsent) {
  FlowSpec spec =
      read(R"({"name":"f","version":null,"tasks":[{"id":"a","type":"instant","config":null,)"
           R"("depends_on":null,"inputs":{"x":{"literal":null,"task":null}},"retry_on":null,)"
           R"("timeout_seconds":null}],"edges":null,"outputs":null,"fail_fast":null,)"
           R"("timeout_seconds":null})");
  EXPECT_TRUE(spec.fail_fast);
  EXPECT_FALSE(spec.edges);
  EXPECT_EQ(errors_of(R"({"name":"f","tasks":null})"), Texts{"/tasks: is required"});
}

TEST(FlowSpec, RefusesUnknownAndMissingFields) {
  EXPECT_EQ(errors_of(R"({"taskz":[]})"),
            (Texts{"/taskz: unknown field", "/name: is required", "/tasks: is required"}));
  EXPECT_EQ(errors_of(flow(R"({"retry":1})")),
            (Texts{"/tasks/0/retry: unknown field", "/tasks/0/id: is required",
                   "/tasks/0/type: is required"}));
  EXPECT_EQ(errors_of(task(R"("inputs":{"x":{"from":"a"}})")),
            Texts{"/tasks/0/inputs/x/from: unknown field"});
}

TEST(FlowSpec, ChecksTypesAndRanges) {
  EXPECT_EQ(
      errors_of(R"({"name":5,"tasks":{},"fail_fast":"yes","max_parallel":0})"),
      (Texts{"/name: must be a string, not a number", "/tasks: must be an array, not an object",
             "/fail_fast: must be a boolean, not a string",
             "/max_parallel: must be from 1 to 10000"}));
  EXPECT_EQ(errors_of(task(R"("retries":101)")), Texts{"/tasks/0/retries: must be from 0 to 100"});
  EXPECT_EQ(errors_of(task(R"("retries":-1)")).size(), 1u);
  EXPECT_EQ(errors_of(task(R"("retry_jitter_factor":1.1)")),
            Texts{"/tasks/0/retry_jitter_factor: must be from 0 to 1"});
  EXPECT_EQ(errors_of(task(R"("trigger_rule":"any")")),
            Texts{"/tasks/0/trigger_rule: must be one of: all_success, none_failed, all_done, "
                  "one_success, one_failed"});
  EXPECT_EQ(errors_of(R"({"name":"f","tasks":[]})"),
            Texts{"/tasks: must have at least 1 elements"});
  EXPECT_EQ(errors_of("[]"), Texts{": must be an object, not an array"});
}

TEST(FlowSpec, ChecksTimes) {
  std::string above_zero = "must be above 0 and at most 366 days (31622400)";
  for (const char* seconds : {"0", "-1", "31622401"}) {
    EXPECT_EQ(errors_of(task(fmt::format("\"timeout_seconds\":{}", seconds))),
              Texts{"/tasks/0/timeout_seconds: " + above_zero});
    EXPECT_EQ(errors_of(flow(node("a"), fmt::format("\"timeout_seconds\":{}", seconds))),
              Texts{"/timeout_seconds: " + above_zero});
  }
  EXPECT_TRUE(errors_of(task("\"timeout_seconds\":0.001")).empty());
  for (const char* delays : {"-1", "31622401", "[1,-1]"})
    EXPECT_EQ(errors_of(task(fmt::format("\"retry_delay_seconds\":{}", delays))),
              Texts{"/tasks/0/retry_delay_seconds: must be from 0 to 366 days (31622400)"});
  EXPECT_EQ(errors_of(task("\"retry_delay_seconds\":[]")),
            Texts{"/tasks/0/retry_delay_seconds: must have at least 1 elements"});
  EXPECT_EQ(errors_of(task("\"retry_delay_seconds\":\"1\"")),
            Texts{"/tasks/0/retry_delay_seconds: must be a number or a list of numbers"});
  EXPECT_EQ(errors_of(task("\"retry_delay_seconds\":[\"x\"]")),
            Texts{"/tasks/0/retry_delay_seconds/0: must be a number, not a string"});
}

TEST(FlowSpec, ChecksKindsToRetryOn) {
  EXPECT_EQ(errors_of(task(R"("retry_on":["exit_code","exception:","other"])")),
            (Texts{"/tasks/0/retry_on/1: must be exit_code, timeout, http_5xx, http_429, "
                   "connection, node_lost or exception:<Class>",
                   "/tasks/0/retry_on/2: must be exit_code, timeout, http_5xx, http_429, "
                   "connection, node_lost or "
                   "exception:<Class>"}));
}

TEST(FlowSpec, ChecksNodeTypesAndTheirConfig) {
  EXPECT_EQ(
      errors_of(flow(R"({"id":"a","type":"other"})")),
      Texts{"/tasks/0/type: must be one of: instant, process, branch, delay, approval, subflow"});
  EXPECT_EQ(errors_of(flow(R"({"id":"a","type":"process"})")),
            Texts{"/tasks/0/config/command: is required"});
  EXPECT_EQ(errors_of(flow(R"({"id":"a","type":"instant","config":{"x":1}})")),
            Texts{"/tasks/0/config/x: unknown field"});
  EXPECT_EQ(errors_of(flow(R"({"id":"a","type":"instant","config":[]})")),
            Texts{"/tasks/0/config: must be an object, not an array"});
}

TEST(FlowSpec, ChecksIds) {
  EXPECT_EQ(errors_of(flow(node("a") + "," + node("b") + "," + node("a"))),
            Texts{"/tasks/2/id: task 'a' exists twice"});
  EXPECT_EQ(errors_of(flow(node("a b"))).size(), 1u);
}

TEST(FlowSpec, ChecksParents) {
  EXPECT_EQ(errors_of(flow(node("a", {"x"}))), Texts{"/tasks/0/depends_on/0: no task 'x'"});
  EXPECT_EQ(errors_of(flow(node("a") + "," + node("b", {"a", "a"}))),
            Texts{"/tasks/1/depends_on: names a task twice"});
}

TEST(FlowSpec, NamesCycles) {
  EXPECT_EQ(errors_of(flow(node("a", {"a"}))), Texts{"/tasks: form a cycle: a -> a"});
  EXPECT_EQ(errors_of(flow(node("r") + "," + node("a", {"r", "c"}) + "," + node("b", {"a"}) + "," +
                           node("c", {"b"}) + "," + node("d", {"c"}))),
            Texts{"/tasks: form a cycle: a -> b -> c -> a"});
}

TEST(FlowSpec, TakesEdgesForParents) {
  FlowSpec spec =
      read(flow(node("a") + "," + node("b"), R"("edges":[{"source":"a","target":"b"}])"));
  EXPECT_EQ(spec.tasks[1].depends_on, Texts{"a"});
}

TEST(FlowSpec, ChecksEdges) {
  std::string ab = node("a") + "," + node("b");
  EXPECT_EQ(errors_of(flow(ab, R"("edges":[{"source":"x","target":"y"},{"source":"a"}])")),
            Texts{"/edges/1/target: is required"});
  EXPECT_EQ(errors_of(flow(ab, R"("edges":[{"source":"x","target":"y"}])")),
            (Texts{"/edges/0/source: no task 'x'", "/edges/0/target: no task 'y'"}));
  EXPECT_EQ(
      errors_of(flow(ab, R"("edges":[{"source":"a","target":"b"},{"source":"b","target":"a"}])")),
      Texts{"/tasks: form a cycle: a -> b -> a"});
  EXPECT_EQ(errors_of(flow(node("a") + "," + node("b", {"a"}) + "," + node("c", {"b"}),
                           R"("edges":[{"source":"a","target":"b"},{"source":"a","target":"c"}])")),
            (Texts{"/edges: has a -> c, which depends_on has not",
                   "/edges: lacks b -> c, which depends_on has"}));
  EXPECT_EQ(errors_of(flow(node("a") + "," + node("b", {"a"}),
                           R"("edges":[{"source":"a","target":"b"},{"source":"a","target":"b"}])")),
            Texts{"/edges/1: this edge exists twice"});
}

TEST(FlowSpec, ChecksInputs) {
  EXPECT_EQ(
      errors_of(task(R"("inputs":{"x":{"parameter":"p","literal":1}})")),
      Texts{
          "/tasks/0/inputs/x: must have only one of literal, parameter, task, tasks, expression"});
  EXPECT_EQ(errors_of(task(R"("inputs":{"x":{"parameter":"p"}})")),
            Texts{"/tasks/0/inputs/x/parameter: no parameter 'p'"});
  EXPECT_EQ(errors_of(task(R"("inputs":{"x":{"path":"/a"}})")),
            Texts{"/tasks/0/inputs/x/path: belongs to task"});
  EXPECT_EQ(errors_of(task(R"("inputs":{"a/b":{"literal":1}})")).front().substr(0, 30),
            "/tasks/0/inputs/a~1b: must sta");
  EXPECT_EQ(errors_of(flow(node("a") + "," +
                           node("b", {"a"}, R"("inputs":{"x":{"task":"a","path":"r"}})"))),
            Texts{"/tasks/1/inputs/x/path: must be a JSON pointer: empty or starting with '/'"});
}

TEST(FlowSpec, InputsComeFromUpstream) {
  EXPECT_EQ(errors_of(flow(node("a") + "," + node("b", {}, R"("inputs":{"x":{"task":"a"}})"))),
            Texts{"/tasks/1/inputs/x/task: task 'a' is not upstream of 'b': add it to depends_on"});
  EXPECT_EQ(errors_of(flow(node("a", {}, R"("inputs":{"x":{"task":"a"}})"))).size(), 1u);
  EXPECT_EQ(errors_of(flow(node("a", {}, R"("inputs":{"x":{"tasks":["z"]}})"))),
            Texts{"/tasks/0/inputs/x/tasks/0: no task 'z'"});
  EXPECT_TRUE(errors_of(flow(node("a") + "," + node("b", {"a"}) + "," +
                             node("c", {"b"}, R"("inputs":{"x":{"tasks":["a","b"]}})")))
                  .empty());
}

TEST(FlowSpec, ChecksParameters) {
  EXPECT_EQ(errors_of(flow(node("a"), R"("parameters":[{"name":"p"},{"name":"p"},)"
                                      R"({"name":"q","type":"integer","default":"x"},)"
                                      R"({"name":"r","enum":["a"],"default":"b"}])")),
            (Texts{"/parameters/1/name: parameter 'p' exists twice",
                   "/parameters/2/default: must be of type integer, not a string",
                   "/parameters/3/default: must be one of the values of its enum"}));
  EXPECT_EQ(errors_of(flow(node("a"), R"("parameters":[{"name":"p","type":"text"}])")).size(), 1u);
}

TEST(FlowSpec, ChecksOutputs) {
  EXPECT_EQ(errors_of(flow(node("a"), R"("outputs":["a","z","a"])")),
            (Texts{"/outputs/1: no task 'z'", "/outputs/2: is named twice"}));
  EXPECT_EQ(errors_of(flow(node("a"), R"("outputs":[])")),
            Texts{"/outputs: must have at least 1 elements"});
}

TEST(FlowSpec, ReportsManyRulesAtOnce) {
  EXPECT_EQ(errors_of(flow(R"({"id":"a","type":"other","depends_on":["x"]},)" +
                               node("b", {"y"}, R"("inputs":{"i":{"parameter":"p"}})"),
                           R"("outputs":["z"])"))
                .size(),
            5u);
}

// ---- limits ----

TEST(FlowSpec, BoundsItsSize) {
  EXPECT_EQ(errors_of(flow(node("a"), "\"description\":\"" + std::string(4 << 20, 'x') + "\"")),
            Texts{": must have at most 4194304 bytes"});
  EXPECT_EQ(errors_of(flow(node("a"), "\"description\":\"" + std::string(4097, 'x') + "\"")),
            Texts{"/description: must have at most 4096 bytes"});
  std::string tasks;
  for (int i = 0; i < 10'001; ++i)
    tasks += fmt::format("{}{{\"id\":\"{}\",\"type\":\"instant\"}}", i ? "," : "", i);
  EXPECT_EQ(errors_of(flow(tasks)), Texts{"/tasks: must have at most 10000 elements"});
}

// Many parents each, and inputs from far upstream: the worst that 4 MiB can hold.
TEST(FlowSpec, ReadsTenThousandTasksWithManyEdges) {
  std::string tasks;
  for (int i = 0; i < 10'000; ++i) {
    Texts parents;
    for (int j = 1; j <= 32 && j <= i; ++j) parents.push_back(std::to_string(i - j));
    tasks += (i ? "," : "") +
             node(std::to_string(i), parents, i < 9000 ? "" : R"("inputs":{"x":{"task":"0"}})");
  }
  EXPECT_TRUE(errors_of(flow(tasks)).empty());
}

TEST(FlowSpec, ReadsADeepChain) {
  std::string tasks;
  for (int i = 0; i < 10'000; ++i)
    tasks +=
        (i ? "," : "") + node(std::to_string(i), i ? Texts{std::to_string(i - 1)} : Texts{"9999"});
  Texts errors = errors_of(flow(tasks));
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_TRUE(errors[0].starts_with("/tasks: form a cycle: ")) << errors[0];
  EXPECT_TRUE(errors[0].ends_with(" -> …")) << errors[0];
}

}  // namespace
}  // namespace model
