// A run read back by a server that knows none of its attempts; and one whose attempts go on.
#include "engine/test_run.h"

namespace engine {
namespace {

TEST(ApplyRecovery, StartsLostAttemptsAgainUnderANewEpoch) {
  TestRun run(R"(a {"retries":1}; b < a)");
  run.begin();
  EXPECT_EQ(run.recover(), "start a 1.2");
  EXPECT_EQ(run.succeed("a", 1), "");  // a report of the dead epoch
  EXPECT_EQ(run.statuses(), "a RUNNING, b PENDING");
  EXPECT_EQ(run.fail("a"), "start a 2.3");  // the retry is still there
  EXPECT_EQ(run.recover(), "start a 2.4");
  EXPECT_EQ(run.succeed("a"), "start b 1.1");
  EXPECT_EQ(run.task("a").recoveries, 2);
}

TEST(ApplyRecovery, GivesUpAfterThreeLostAttempts) {
  TestRun run("a; b < a");
  run.begin();
  for (int epoch = 2; epoch <= 4; ++epoch)
    EXPECT_EQ(run.recover(), fmt::format("start a 1.{}", epoch));
  EXPECT_EQ(run.recover(), "announce; finish");
  EXPECT_EQ(run.statuses(), "a FAILED, b CANCELLED");
  EXPECT_EQ(run.state.failure->kind, "node_lost");
}

TEST(ApplyRecovery, GivesUpOneTaskWhileOthersGoOn) {
  TestRun run("a; b", "\"fail_fast\":false");
  run.begin();
  for (int i = 0; i < 3; ++i) {
    run.recover();
    if (i == 0) run.succeed("b");
  }
  EXPECT_EQ(run.recover(), "announce; finish");
  EXPECT_EQ(run.statuses(), "a FAILED, b SUCCEEDED");
}

TEST(ApplyRecovery, FailFastEndsAttemptsLostInTheSameMoment) {
  TestRun run("c; a; b < a");
  run.begin();
  for (int i = 0; i < 3; ++i) {
    run.recover();
    if (i > 0) continue;
    EXPECT_EQ(run.succeed("a"), "start b 1.1");
  }
  EXPECT_EQ(run.task("b").recoveries, 2);
  EXPECT_EQ(run.recover(), "stop b 3; announce; finish");
  EXPECT_EQ(run.statuses(), "c FAILED, a SUCCEEDED, b CANCELLED");
}

TEST(ApplyRecovery, AsksForSlotsAgain) {
  TestRun run("a*; b*");
  run.begin();
  run.grant("a");
  EXPECT_EQ(run.recover(), "slot b; slot a");
  EXPECT_EQ(run.statuses(), "a QUEUED, b QUEUED");
}

TEST(ApplyRecovery, SetsTimersAgain) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":10}; b {"timeout_seconds":7})",
              "\"timeout_seconds\":60");
  run.begin();
  run.pass(1);
  run.fail("a");
  run.pass(2);
  EXPECT_EQ(run.recover(), "start b 1.2");
  EXPECT_EQ(run.timers(), (std::vector<double>{7, 8, 57}));  // b's attempt is a new one
}

TEST(ApplyRecovery, FiresTimersThatFellDueMeanwhile) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":10}; b)", "\"timeout_seconds\":60");
  run.begin();
  run.fail("a");
  run.now += std::chrono::seconds(20);
  run.recover();
  EXPECT_EQ(run.pass(0), "start a 2.2");
  run.now += std::chrono::seconds(60);
  run.recover();
  EXPECT_EQ(run.pass(0), "stop a 3; stop b 3; announce");
}

TEST(ApplyRecovery, KeepsARetryThatWaitedForMaxParallel) {
  TestRun run(R"(a {"retries":1}; b; c)", "\"max_parallel\":1");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.statuses(), "a RETRYING, b RUNNING, c PENDING");
  run.recover();
  run.pass(0);
  for (int i = 0; i < 3; ++i)
    for (const char* id : {"a", "b", "c"})
      if (run.task(id).live) run.succeed(id);
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(ApplyRecovery, TakesAttemptsBeingStoppedForGone) {
  TestRun run(R"(a {"timeout_seconds":5,"retries":1})");
  run.begin();
  run.pass(5);
  EXPECT_EQ(run.recover(), "");
  EXPECT_EQ(run.pass(0), "start a 2.2");
  EXPECT_EQ(run.task("a").recoveries, 0);
}

TEST(ApplyRecovery, FinishesADecidedRun) {
  TestRun run("a; b");
  run.begin();
  run.cancel();
  EXPECT_EQ(run.recover(), "finish");
  EXPECT_EQ(run.status(), "CANCELLED");
}

TEST(ApplyRecovery, LeavesItToAdmissionToBeginARunThatHadNot) {
  TestRun run("a");
  EXPECT_EQ(run.recover(), "");
  EXPECT_EQ(run.begin(), "start a 1.1");
}

TEST(ApplyRearm, ImpliesSlotsAndTimersOfAttemptsThatGoOn) {
  TestRun run(R"(a {"timeout_seconds":5}; b*; c {"retries":1,"retry_delay_seconds":9}; d)",
              "\"timeout_seconds\":60");
  run.begin();
  run.fail("c");
  std::vector<Action> actions;
  rearm(run.state, actions);
  int slots = 0;
  std::multimap<base::Timestamp, TimerKind> timers;
  for (const Action& action : actions) {
    slots += std::holds_alternative<RequestSlot>(action);
    if (auto* timer = std::get_if<SetTimer>(&action)) timers.emplace(timer->at, timer->timer.kind);
  }
  using std::chrono::seconds;
  EXPECT_EQ(slots, 1);
  EXPECT_EQ(timers, (std::multimap<base::Timestamp, TimerKind>{
                        {run.now + seconds(5), TimerKind::attempt_timeout},
                        {run.now + seconds(9), TimerKind::retry},
                        {run.now + seconds(60), TimerKind::run_timeout}}));
  run.cancel();
  actions.clear();
  rearm(run.state, actions);
  EXPECT_TRUE(actions.empty());
}

}  // namespace
}  // namespace engine
