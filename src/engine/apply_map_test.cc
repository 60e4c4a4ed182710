// map_over: elements, their limit, their failures, the gathered list.
#include "engine/test_run.h"

namespace engine {
namespace {

constexpr const char* mapped = R"(m {"map_over":{"literal":[]}}; after < m)";

TEST(ApplyMap, AsksForItsListThenRunsTheElementsThenGathers) {
  TestRun run(mapped);
  EXPECT_EQ(run.begin(), "decide m");
  EXPECT_EQ(run.expand("m", 3), "start m:0 1.1; start m:1 1.1; start m:2 1.1");
  EXPECT_EQ(run.statuses(),
            "m RUNNING, after PENDING, m:0 RUNNING, m:1 RUNNING, m:2 RUNNING");
  EXPECT_EQ(run.succeed("m:2"), "");
  EXPECT_EQ(run.succeed("m:0"), "");
  EXPECT_EQ(run.succeed("m:1"), "gather m");
  EXPECT_EQ(run.gather("m", "[1,2,3]"), "start after 1.1");
  EXPECT_EQ(run.task("m").output.json, "[1,2,3]");
  EXPECT_EQ(run.gather("m", "[4]"), "");  // twice
  EXPECT_EQ(run.task("m").output.json, "[1,2,3]");
}

TEST(ApplyMap, OfAnEmptyListSucceedsWithAnEmptyList) {
  TestRun run(mapped);
  run.begin();
  EXPECT_EQ(run.expand("m", 0), "start after 1.1");
  EXPECT_EQ(run.task("m").output.json, "[]");
}

TEST(ApplyMap, KeepsToItsOwnMaxParallel) {
  TestRun run(R"(m {"map_over":{"literal":[]},"max_parallel":2,"retries":1,)"
              R"("retry_delay_seconds":5})");
  run.begin();
  EXPECT_EQ(run.expand("m", 4), "start m:0 1.1; start m:1 1.1");
  EXPECT_EQ(run.fail("m:0"), "");  // it waits for its retry and keeps its place
  EXPECT_EQ(run.succeed("m:1"), "start m:2 1.1");
  EXPECT_EQ(run.pass(5), "start m:0 2.2");
  EXPECT_EQ(run.succeed("m:0"), "start m:3 1.1");
}

TEST(ApplyMap, KeepsToTheRunsMaxParallel) {
  TestRun run(R"(m {"map_over":{"literal":[]}})", R"("max_parallel":2)");
  run.begin();
  EXPECT_EQ(run.expand("m", 3), "start m:0 1.1; start m:1 1.1");
  EXPECT_EQ(run.succeed("m:0"), "start m:2 1.1");
}

TEST(ApplyMap, EndsTheOthersWhenAnElementFails) {
  TestRun run(R"(m {"map_over":{"literal":[]},"max_parallel":2}; other)", R"("fail_fast":false)");
  run.begin();
  run.expand("m", 3);
  EXPECT_EQ(run.fail("m:1"), "stop m:0 1");
  EXPECT_EQ(run.statuses(),
            "m FAILED, other RUNNING, m:0 CANCELLED, m:1 FAILED, m:2 CANCELLED");
  EXPECT_EQ(run.task("m").failure, (Failure{"exit_code", "element 1: it broke"}));
  EXPECT_EQ(run.succeed("m:0"), "");
  EXPECT_EQ(run.succeed("other"), "announce; finish");
  EXPECT_EQ(run.state.failure->message, "task 'm' failed: element 1: it broke");
}

TEST(ApplyMap, BearsMaxFailures) {
  TestRun run(R"(m {"map_over":{"literal":[]},"max_failures":2,"timeout_seconds":9})");
  run.begin();
  run.expand("m", 4);
  EXPECT_EQ(run.fail("m:0"), "");
  EXPECT_EQ(run.pass(9), "stop m:1 1; stop m:2 1; stop m:3 1; announce");
  EXPECT_EQ(run.status(), "FAILED");  // those that took too long count too
}

TEST(ApplyMap, GathersWhenTheLastElementFailed) {
  TestRun run(R"(m {"map_over":{"literal":[]},"max_failures":1})");
  run.begin();
  run.expand("m", 2);
  run.succeed("m:0");
  EXPECT_EQ(run.fail("m:1"), "gather m");
  EXPECT_EQ(run.gather("m", "[null,null]"), "announce; finish");
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(ApplyMap, FailsWhenItsListCannotBeGathered) {
  TestRun run(R"(m {"map_over":{"literal":[]}})");
  run.begin();
  run.expand("m", 1);
  run.succeed("m:0");
  EXPECT_EQ(run.apply(Computed{0, Gathered{Failure{"too_large", "64 MiB"}, {}}}),
            "announce; finish");
  EXPECT_EQ(run.state.failure->kind, "too_large");
}

TEST(ApplyMap, ElementsAreDecidedEachWhenTheyHaveKeys) {
  TestRun run(R"(m {"map_over":{"literal":[]},"cache":{"key":"'k'","ttl_seconds":9}})");
  run.begin();
  EXPECT_EQ(run.expand("m", 2), "decide m:0; decide m:1");
  EXPECT_EQ(run.choose("m:0", "7"), "");  // a cache had it
  EXPECT_EQ(run.task("m:0").status, TaskStatus::succeeded);
  EXPECT_EQ(run.decide("m:1"), "start m:1 1.1");
  EXPECT_EQ(run.succeed("m:1"), "gather m");
}

TEST(ApplyMap, OfTooManyTaskRunsFails) {
  TestRun run(R"(m {"map_over":{"literal":[]}}; n {"map_over":{"literal":[]}})",
              R"("fail_fast":false)");
  run.begin();
  run.apply(Computed{0, [] {
                       Decided decided;
                       decided.elements = 150'000;
                       return decided;
                     }()});
  EXPECT_EQ(run.expand("n", 60'000), "");
  EXPECT_EQ(run.task("n").failure->kind, "too_large");
}

TEST(ApplyMap, RunsAHundredThousandElements) {
  TestRun run(R"(m {"map_over":{"literal":[]}})", R"("max_parallel":10000)");
  run.begin();
  constexpr std::uint32_t count = 100'000;
  run.expand("m", count);
  EXPECT_EQ(run.state.live, 10'000u);
  Decision decision;
  for (TaskIndex i = 1; i <= count; ++i)
    apply(run.state, AttemptReport{i, 1, true, {}, {}}, run.now, decision);
  EXPECT_EQ(run.state.elements.at(0).open, 0u);
  apply(run.state, Computed{0, Gathered{}}, run.now, decision);
  EXPECT_EQ(run.state.status, RunStatus::succeeded);
}

TEST(ApplyMap, CancelEndsEveryElement) {
  TestRun run(R"(m {"map_over":{"literal":[]},"max_parallel":1})");
  run.begin();
  run.expand("m", 3);
  EXPECT_EQ(run.cancel(), "stop m:0 1; announce");
  EXPECT_EQ(run.statuses(), "m CANCELLED, m:0 CANCELLED, m:1 CANCELLED, m:2 CANCELLED");
  EXPECT_EQ(run.succeed("m:0"), "finish");
}

TEST(ApplyMap, IsAskedToGatherAgainAfterARestart) {
  TestRun run(R"(m {"map_over":{"literal":[]}})");
  run.begin();
  run.expand("m", 1);
  run.succeed("m:0");
  EXPECT_EQ(run.recover(), "gather m");
}

}  // namespace
}  // namespace engine
