// Failures: retries, timeouts, skips, fail_fast.
#include "engine/test_run.h"

namespace engine {
namespace {

TEST(ApplyRetry, AtOnceWhenThereIsNoDelay) {
  TestRun run(R"(a {"retries":2})");
  run.begin();
  EXPECT_EQ(run.fail("a"), "start a 2.2");
  EXPECT_EQ(run.fail("a"), "start a 3.3");
  EXPECT_EQ(run.fail("a"), "announce; finish");
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.state.failure, (Failure{"exit_code", "task 'a' failed: it broke"}));
  EXPECT_EQ(run.task("a").earlier.size(), 2u);
  EXPECT_EQ(run.task("a").earlier[1].epoch, 2);
}

TEST(ApplyRetry, TakesDelaysFromTheListAndRepeatsTheLast) {
  TestRun run(R"(a {"retries":4,"retry_delay_seconds":[1,5,30]})");
  run.begin();
  int epoch = 1;
  for (double delay : {1.0, 5.0, 30.0, 30.0}) {
    EXPECT_EQ(run.fail("a"), "");
    EXPECT_EQ(run.statuses(), "a RETRYING");
    EXPECT_EQ(run.timers(), std::vector<double>{delay});
    EXPECT_EQ(run.pass(delay - 0.001), "");
    ++epoch;
    EXPECT_EQ(run.pass(0.001), fmt::format("start a {}.{}", epoch, epoch));
  }
  EXPECT_EQ(run.fail("a"), "announce; finish");
}

TEST(ApplyRetry, SucceedsInTheEnd) {
  TestRun run(R"(a {"retries":1}; b < a)");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.succeed("a"), "start b 1.1");
  EXPECT_EQ(run.task("a").failure, std::nullopt);
  run.succeed("b");
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(ApplyRetry, WaitsForASlotAgain) {
  TestRun run(R"(a* {"retries":1})");
  run.begin();
  run.grant("a");
  EXPECT_EQ(run.fail("a"), "slot a");
  EXPECT_EQ(run.statuses(), "a QUEUED");
  EXPECT_EQ(run.grant("a"), "start a 2.2");
}

TEST(ApplyRetry, OnlyOnTheKindsNamed) {
  for (auto [kind, retried] : {std::pair{"exit_code", false},
                               {"exception:KeyError", false},
                               {"exception:ValueError", true}}) {
    TestRun run(R"(a {"retries":1,"retry_on":["exception:ValueError","timeout"]})");
    run.begin();
    EXPECT_EQ(run.fail("a", kind), retried ? "start a 2.2" : "announce; finish") << kind;
  }
  TestRun never(R"(a {"retries":1,"retry_on":[]})");
  never.begin();
  EXPECT_EQ(never.fail("a"), "announce; finish");
}

double delay_of(base::RunId id) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":10,"retry_jitter_factor":0.5})", "", id);
  run.begin();
  run.fail("a");
  return run.timers().at(0);
}

TEST(ApplyRetry, JitterIsWithinItsRangeAndTheSameOnReplay) {
  double lowest = 100, highest = 0;
  for (int i = 1; i < 500; ++i) {
    double delay = delay_of(base::RunId(i));
    EXPECT_EQ(delay, delay_of(base::RunId(i)));
    lowest = std::min(lowest, delay);
    highest = std::max(highest, delay);
  }
  EXPECT_GE(lowest, 10);
  EXPECT_LT(lowest, 10.1);
  EXPECT_LT(highest, 15);
  EXPECT_GT(highest, 14.9);
}

TEST(ApplyRetry, DoesNotRunAheadOfMaxParallel) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":1}; b; c)", "\"max_parallel\":1");
  run.begin();
  EXPECT_EQ(run.fail("a"), "start b 1.1");
  EXPECT_EQ(run.pass(1), "");  // a waits its turn
  EXPECT_EQ(run.succeed("b"), "start c 1.1");
  EXPECT_EQ(run.succeed("c"), "start a 2.2");
}

// ---- timeouts ----

TEST(ApplyRetry, GoesByPriorityAmongThoseThatAreReady) {
  TestRun run(R"(a {"priority":5,"retries":1,"retry_delay_seconds":5}; b; c; d)",
              R"("max_parallel":1,"fail_fast":false)");
  EXPECT_EQ(run.begin(), "start a 1.1");
  EXPECT_EQ(run.fail("a"), "start b 1.1");
  EXPECT_EQ(run.pass(5), "");
  EXPECT_EQ(run.succeed("b"), "start a 2.2");
}

TEST(ApplyTimeout, EndsTheTaskAndWaitsForTheAttemptToBeGone) {
  TestRun run(R"(a {"timeout_seconds":5}; b < a)");
  run.begin();
  EXPECT_EQ(run.pass(4.999), "");
  EXPECT_EQ(run.pass(0.001), "stop a 1; announce");
  EXPECT_EQ(run.statuses(), "a TIMED_OUT, b CANCELLED");
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.state.failure->kind, "timeout");
  EXPECT_EQ(run.succeed("a"), "finish");  // too late
  EXPECT_EQ(run.statuses(), "a TIMED_OUT, b CANCELLED");
}

TEST(ApplyTimeout, RetriesOnlyWhenTheOldAttemptIsGone) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5})");
  run.begin();
  EXPECT_EQ(run.pass(5), "stop a 1");
  EXPECT_EQ(run.statuses(), "a RETRYING");
  EXPECT_EQ(run.pass(100), "");
  EXPECT_EQ(run.state.live, 1u);
  EXPECT_EQ(run.succeed("a"), "start a 2.2");
  EXPECT_EQ(run.pass(5), "stop a 2; announce");
}

TEST(ApplyTimeout, RetriesAfterTheDelayWhenTheOldAttemptIsGoneSooner) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5,"retry_delay_seconds":10})");
  run.begin();
  run.pass(5);
  EXPECT_EQ(run.pass(3), "");
  EXPECT_EQ(run.fail("a"), "");
  EXPECT_EQ(run.pass(6.999), "");
  EXPECT_EQ(run.pass(0.001), "start a 2.2");
}

TEST(ApplyTimeout, RetriesAfterTheOldAttemptWhenTheDelayIsOverSooner) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5,"retry_delay_seconds":1})");
  run.begin();
  run.pass(5);
  EXPECT_EQ(run.pass(3), "");
  EXPECT_EQ(run.fail("a"), "start a 2.2");
}

TEST(ApplyTimeout, OfAnEarlierAttemptMeansNothing) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5})");
  run.begin();
  run.pass(3);
  EXPECT_EQ(run.fail("a"), "start a 2.2");
  EXPECT_EQ(run.pass(2), "");
  EXPECT_EQ(run.statuses(), "a RUNNING");
  EXPECT_EQ(run.pass(3), "stop a 2; announce");
}

TEST(ApplyTimeout, AfterTheEndMeansNothing) {
  TestRun run(R"(a {"timeout_seconds":5}; b)");
  run.begin();
  run.succeed("a");
  EXPECT_EQ(run.pass(10), "");
  EXPECT_EQ(run.statuses(), "a SUCCEEDED, b RUNNING");
}

TEST(ApplyTimeout, CountsFromTheStartNotFromTheQueue) {
  TestRun run(R"(a* {"timeout_seconds":5})");
  run.begin();
  EXPECT_EQ(run.pass(100), "");
  run.grant("a");
  EXPECT_EQ(run.pass(5), "stop a 1; announce");
}

TEST(ApplyTimeout, OfTheRun) {
  TestRun run("a; b*; c < a", "\"timeout_seconds\":5");
  run.begin();
  EXPECT_EQ(run.pass(5), "stop a 1; withdraw b; announce");
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.state.failure, (Failure{"timeout", "the run took longer than its timeout of 5 s"}));
  EXPECT_EQ(run.statuses(), "a CANCELLED, b CANCELLED, c CANCELLED");
  EXPECT_EQ(run.succeed("a"), "finish");
}

TEST(ApplyTimeout, OfTheRunAfterItsEndMeansNothing) {
  TestRun run("a; b", "\"timeout_seconds\":5");
  run.begin();
  run.cancel();
  EXPECT_EQ(run.pass(5), "");
  EXPECT_EQ(run.status(), "CANCELLED");
}

// ---- skips and fail_fast ----

TEST(ApplySkip, DescendantsOnlyWhileOtherBranchesGoOn) {
  TestRun run("a; b; c < a; d < c; e < b; f < d e", "\"fail_fast\":false");
  run.begin();
  EXPECT_EQ(run.fail("a"), "");
  EXPECT_EQ(run.statuses(), "a FAILED, b RUNNING, c SKIPPED, d SKIPPED, e PENDING, f PENDING");
  EXPECT_EQ(run.status(), "RUNNING");
  EXPECT_EQ(run.succeed("b"), "start e 1.1");
  EXPECT_EQ(run.succeed("e"), "announce; finish");  // f is decided only when all parents ended
  EXPECT_EQ(run.task("f").status, TaskStatus::skipped);
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.state.failure->message, "task 'a' failed: it broke");
}

TEST(ApplySkip, OfADeepChainInOneEvent) {
  std::string plan = "t0";
  for (int i = 1; i < 5000; ++i) plan += fmt::format(";t{} < t{}", i, i - 1);
  TestRun run(plan, "\"fail_fast\":false");
  run.begin();
  EXPECT_EQ(run.fail("t0"), "announce; finish");
  EXPECT_EQ(run.task("t4999").status, TaskStatus::skipped);
}

TEST(ApplySkip, TheFirstFailureNamesTheRuns) {
  TestRun run("a; b", "\"fail_fast\":false");
  run.begin();
  run.fail("b", "exception:KeyError");
  run.fail("a");
  EXPECT_EQ(run.state.failure, (Failure{"exception:KeyError", "task 'b' failed: it broke"}));
}

TEST(ApplyFailFast, CancelsEverythingThatHasNotEnded) {
  TestRun run(R"(bad; done; running; queued*; retrying {"retries":1,"retry_delay_seconds":9}; )"
              "pending < bad");
  run.begin();
  run.succeed("done");
  run.fail("retrying");
  EXPECT_EQ(run.fail("bad"), "stop running 1; withdraw queued; announce");
  EXPECT_EQ(run.status(), "FAILED");
  EXPECT_EQ(run.statuses(),
            "bad FAILED, done SUCCEEDED, running CANCELLED, queued CANCELLED, "
            "retrying CANCELLED, pending CANCELLED");
  EXPECT_EQ(run.pass(20), "");
  EXPECT_EQ(run.succeed("running"), "finish");
  EXPECT_EQ(run.state.failure->message, "task 'bad' failed: it broke");
}

TEST(ApplyFailFast, WaitsUntilRetriesAreUsedUp) {
  TestRun run(R"(a {"retries":1}; b)");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.status(), "RUNNING");
  EXPECT_EQ(run.fail("a"), "stop b 1; announce");
}

TEST(ApplyFailFast, ASecondFailureChangesNothing) {
  TestRun run("a; b; c");
  run.begin();
  run.fail("a");
  EXPECT_EQ(run.fail("b"), "");
  EXPECT_EQ(run.statuses(), "a FAILED, b CANCELLED, c CANCELLED");
  EXPECT_EQ(run.fail("c"), "finish");
}

}  // namespace
}  // namespace engine
