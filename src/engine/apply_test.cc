// How a run goes when nothing fails: order, slots, max_parallel, reports that do not fit.
#include "engine/apply.h"

#include "engine/test_run.h"

namespace engine {
namespace {

TEST(Apply, RunsASequence) {
  TestRun run("a; b < a; c < b");
  EXPECT_EQ(run.begin(), "start a 1.1");
  EXPECT_EQ(run.status(), "RUNNING");
  EXPECT_EQ(run.succeed("a", 0, "{\"x\":1}"), "start b 1.1");
  EXPECT_EQ(run.task("a").output.json, "{\"x\":1}");
  EXPECT_EQ(run.succeed("b"), "start c 1.1");
  EXPECT_EQ(run.statuses(), "a SUCCEEDED, b SUCCEEDED, c RUNNING");
  EXPECT_EQ(run.succeed("c"), "announce; finish");
  EXPECT_EQ(run.status(), "SUCCEEDED");
  EXPECT_EQ(run.state.failure, std::nullopt);
}

TEST(Apply, RecordsTheEndAndWhatFollowsTogether) {
  TestRun run("a; b < a");
  run.begin();
  run.succeed("a");
  EXPECT_EQ(run.facts_last,
            (std::vector<Fact>{AttemptSucceeded{0, 1, Value{}}, AttemptStarted{1, 1, 1}}));
  run.succeed("b");
  EXPECT_EQ(run.facts_last, (std::vector<Fact>{AttemptSucceeded{1, 1, Value{}},
                                               RunDecided{RunStatus::succeeded, std::nullopt}}));
}

TEST(Apply, FansOutAndIn) {
  TestRun run("a; b < a; c < a; d < a; e < b c d");
  run.begin();
  EXPECT_EQ(run.succeed("a"), "start b 1.1; start c 1.1; start d 1.1");
  EXPECT_EQ(run.succeed("d"), "");
  EXPECT_EQ(run.succeed("b"), "");
  EXPECT_EQ(run.succeed("c"), "start e 1.1");
  EXPECT_EQ(run.succeed("e"), "announce; finish");
}

TEST(Apply, RunsADiamondWithAShortcut) {
  TestRun run("a; b < a; c < a b");
  run.begin();
  EXPECT_EQ(run.succeed("a"), "start b 1.1");
  EXPECT_EQ(run.succeed("b"), "start c 1.1");
}

TEST(Apply, StartsEveryRoot) {
  TestRun run("a; b; c < b");
  EXPECT_EQ(run.begin(), "start a 1.1; start b 1.1");
  run.succeed("a");
  run.succeed("b");
  EXPECT_EQ(run.succeed("c"), "announce; finish");
}

TEST(Apply, BeginsOnce) {
  TestRun run("a");
  run.begin();
  EXPECT_EQ(run.begin(), "");
  EXPECT_TRUE(run.facts_last.empty());
}

TEST(Apply, WaitsForASlot) {
  TestRun run("a*; b");
  EXPECT_EQ(run.begin(), "slot a; start b 1.1");
  EXPECT_EQ(run.statuses(), "a QUEUED, b RUNNING");
  EXPECT_EQ(run.grant("a"), "start a 1.1");
  EXPECT_EQ(run.grant("a"), "");
  EXPECT_EQ(run.statuses(), "a RUNNING, b RUNNING");
}

TEST(Apply, KeepsToMaxParallel) {
  TestRun run("a; b*; c; d < a", "\"max_parallel\":2");
  EXPECT_EQ(run.begin(), "start a 1.1; slot b");  // what waits for a slot counts
  EXPECT_EQ(run.state.active, 2u);
  EXPECT_EQ(run.succeed("a"), "start c 1.1");
  EXPECT_EQ(run.succeed("c"), "start d 1.1");
  EXPECT_EQ(run.grant("b"), "start b 1.1");
}

TEST(Apply, RunsAWidePlan) {
  std::string plan = "root";
  for (int i = 0; i < 1000; ++i) plan += fmt::format(";t{} < root", i);
  TestRun run(plan);
  run.begin();
  run.succeed("root");
  EXPECT_EQ(run.state.live, 64u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(run.state.live, std::min(64u, 1000u - i));
    Decision decision;
    apply(run.state, AttemptReport{TaskIndex(i + 1), 1, true, {}, {}}, run.now, decision);
  }
  EXPECT_EQ(run.state.status, RunStatus::succeeded);
}

TEST(Apply, IgnoresReportsThatDoNotFit) {
  TestRun run("a; b < a");
  run.begin();
  EXPECT_EQ(run.succeed("b", 1), "");
  EXPECT_EQ(run.succeed("a", 2), "");
  EXPECT_TRUE(run.facts_last.empty());
  EXPECT_EQ(run.succeed("a", 1, "1"), "start b 1.1");
  EXPECT_EQ(run.fail("a", "exit_code", 1), "");  // the same attempt again, with another end
  EXPECT_TRUE(run.facts_last.empty());
  EXPECT_EQ(run.task("a").output.json, "1");
  run.succeed("b");
  EXPECT_EQ(run.fail("b", "exit_code", 1).find("announce"), std::string::npos);
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(Apply, KeepsTimes) {
  TestRun run("a; b < a");
  base::Timestamp start = run.now;
  run.begin();
  run.pass(1);
  run.succeed("a");
  run.pass(2);
  run.succeed("b");
  using std::chrono::seconds;
  EXPECT_EQ(run.state.started_at, start);
  EXPECT_EQ(run.task("a").finished_at, start + seconds(1));
  EXPECT_EQ(run.task("b").started_at, start + seconds(1));
  EXPECT_EQ(run.state.decided_at, start + seconds(3));
}

// ---- cancel ----

TEST(ApplyCancel, OfARunThatHasNotBegun) {
  TestRun run("a");
  EXPECT_EQ(run.cancel(), "announce; finish");
  EXPECT_EQ(run.status(), "CANCELLED");
  EXPECT_EQ(run.state.failure, (Failure{"cancelled", "enough"}));
}

TEST(ApplyCancel, EndsTheStatusAtOnceAndTheRunWhenNothingLives) {
  TestRun run("a; b; c < a");
  run.begin();
  EXPECT_EQ(run.cancel(), "stop a 1; stop b 1; announce");
  EXPECT_EQ(run.statuses(), "a CANCELLED, b CANCELLED, c CANCELLED");
  EXPECT_EQ(run.state.live, 2u);
  EXPECT_EQ(run.succeed("a"), "");
  EXPECT_EQ(run.statuses(), "a CANCELLED, b CANCELLED, c CANCELLED");
  EXPECT_EQ(run.fail("b"), "finish");
  EXPECT_EQ(run.status(), "CANCELLED");
}

TEST(ApplyCancel, OfAQueuedTaskGivesItsPlaceBack) {
  TestRun run("a*");
  run.begin();
  EXPECT_EQ(run.cancel(), "withdraw a; announce; finish");
  EXPECT_EQ(run.grant("a"), "");
}

TEST(ApplyCancel, OfARetryingTaskNeedsNoReport) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":5})");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.cancel(), "announce; finish");
  EXPECT_EQ(run.pass(10), "finish");  // the runtime has dropped the run by then
}

TEST(ApplyCancel, OfATimedOutAttemptDoesNotStopItTwice) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5})");
  run.begin();
  EXPECT_EQ(run.pass(5), "stop a 1");
  EXPECT_EQ(run.cancel(), "announce");
  EXPECT_EQ(run.succeed("a"), "finish");
}

TEST(ApplyCancel, OfAFinalRunChangesNothing) {
  TestRun run("a; b");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.cancel(), "");
  EXPECT_EQ(run.status(), "FAILED");
}

}  // namespace
}  // namespace engine
