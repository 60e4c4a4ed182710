// Sub-flows: an attempt that is a run of its own.
#include "engine/test_run.h"

namespace engine {
namespace {

TestRun subflow_run(const std::string& members = "") {
  TestRun run("a");
  auto plan = model::load_plan(R"({"name":"f","tasks":[{"id":"s","type":"subflow")" + members +
                                   R"(},{"id":"next","type":"instant","depends_on":["s"]}]})",
                               "1", model::test_catalog());
  if (!plan) throw std::invalid_argument(plan.error().message);
  run.state = RunState(base::RunId(1), *plan);
  return run;
}

const base::RunId child{7};

TEST(ApplySubflow, WaitsForItsRunAndHoldsNoSlot) {
  TestRun run = subflow_run();
  EXPECT_EQ(run.begin(), "start s 1.1");
  EXPECT_EQ(run.apply(ChildCreated{0, 1, child}), "");
  EXPECT_EQ(run.task("s").status, TaskStatus::waiting);
  EXPECT_EQ(run.state.live_child_of(0), child);
  EXPECT_EQ(run.succeed("s", 0, "3"), "start next 1.1");
  EXPECT_EQ(run.state.child_of(0), child);  // for whoever reads the run
  EXPECT_EQ(run.state.live_child_of(0), std::nullopt);
}

TEST(ApplySubflow, ARetryIsAnotherRun) {
  TestRun run = subflow_run(R"(,"retries":1)");
  run.begin();
  run.apply(ChildCreated{0, 1, child});
  EXPECT_EQ(run.fail("s", "subflow"), "start s 2.2");
  EXPECT_EQ(run.state.child_of(0), std::nullopt);
  run.apply(ChildCreated{0, 2, base::RunId(8)});
  EXPECT_EQ(run.state.live_child_of(0), base::RunId(8));
}

TEST(ApplySubflow, GoesOnOverARestart) {
  TestRun run = subflow_run();
  run.begin();
  run.apply(ChildCreated{0, 1, child});
  EXPECT_EQ(run.recover(), "");
  EXPECT_EQ(run.task("s").epoch, 1);
  EXPECT_EQ(run.succeed("s"), "start next 1.1");
}

TEST(ApplySubflow, WithoutARunYetIsLostWithItsServer) {
  TestRun run = subflow_run();
  run.begin();
  EXPECT_EQ(run.recover(), "start s 1.2");
}

TEST(ApplySubflow, IsStoppedAtItsTimeout) {
  TestRun run = subflow_run(R"(,"timeout_seconds":5)");
  run.begin();
  run.apply(ChildCreated{0, 1, child});
  EXPECT_EQ(run.pass(5), "stop s 1; announce");
  EXPECT_EQ(run.state.live_child_of(0), child);
  EXPECT_EQ(run.recover(), "");  // it still ends with its run
  EXPECT_EQ(run.fail("s", "subflow"), "finish");
  EXPECT_EQ(run.task("s").status, TaskStatus::timed_out);
}

TEST(ApplySubflow, IsStoppedWithItsRun) {
  TestRun run = subflow_run();
  run.begin();
  run.apply(ChildCreated{0, 1, child});
  EXPECT_EQ(run.cancel(), "stop s 1; announce");
  EXPECT_EQ(run.fail("s", "subflow"), "finish");
}

}  // namespace
}  // namespace engine
