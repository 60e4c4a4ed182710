// Reruns: outputs of an earlier run stand in for tasks.
#include "engine/test_run.h"

namespace engine {
namespace {

Reuse reuse(std::initializer_list<TaskIndex> tasks) {
  Reuse event;
  for (TaskIndex i : tasks) event.outputs.emplace_back(i, Value::inline_json(std::to_string(i)));
  return event;
}

TEST(ApplyReuse, StartsWhereTheEarlierRunFailed) {
  TestRun run("a; b < a; c < b");
  EXPECT_EQ(run.apply(reuse({0, 1})), "");
  EXPECT_EQ(run.status(), "QUEUED");
  EXPECT_EQ(run.begin(), "start c 1.1");
  EXPECT_EQ(run.task("b").output.json, "1");
  EXPECT_EQ(run.succeed("c"), "announce; finish");
}

TEST(ApplyReuse, OfEverythingSucceedsAtOnce) {
  TestRun run("a; b < a");
  run.apply(reuse({0, 1}));
  EXPECT_EQ(run.begin(), "announce; finish");
}

TEST(ApplyReuse, ThatLeavesATaskOutSkipsItWhenTheRunBegins) {
  TestRun run(R"(a; b < a {"trigger_rule":"one_failed"}; c)");
  Decision decision;
  apply(run.state, reuse({0}), run.now, decision);
  apply(run.state, Begin{}, run.now, decision);
  EXPECT_EQ(run.task("b").status, TaskStatus::skipped);
}

TEST(ApplyReuse, OfAMappedTaskNeedsNoElements) {
  TestRun run(R"(m {"map_over":{"literal":[]}}; b < m)");
  run.apply(reuse({0}));
  EXPECT_EQ(run.begin(), "start b 1.1");
}

TEST(ApplyReuse, IsTakenUpAfterARestart) {
  TestRun run("a; b < a");
  run.apply(reuse({0}));
  run.begin();
  EXPECT_EQ(run.recover(), "start b 1.2");
}

}  // namespace
}  // namespace engine
