// Pause and resume: what is in flight ends, nothing new starts.
#include "engine/test_run.h"

namespace engine {
namespace {

TEST(ApplyPause, StartsNothingNew) {
  TestRun run("a; b < a");
  run.begin();
  EXPECT_EQ(run.pause(), "");
  EXPECT_EQ(run.status(), "PAUSED");
  EXPECT_EQ(run.succeed("a"), "");
  EXPECT_EQ(run.statuses(), "a SUCCEEDED, b PENDING");
  EXPECT_EQ(run.resume(), "start b 1.1");
  EXPECT_EQ(run.status(), "RUNNING");
}

TEST(ApplyPause, GivesPlacesBackAndAsksForThemAgain) {
  TestRun run("a*; b*");
  run.begin();
  run.grant("a");
  EXPECT_EQ(run.pause(), "withdraw b");
  EXPECT_EQ(run.grant("b"), "");  // granted just before
  EXPECT_EQ(run.resume(), "slot b");
  EXPECT_EQ(run.grant("b"), "start b 1.1");
}

TEST(ApplyPause, OfARunThatHasNotBegun) {
  TestRun run("a");
  run.pause();
  EXPECT_EQ(run.begin(), "");
  run.resume();
  EXPECT_EQ(run.status(), "QUEUED");
  EXPECT_EQ(run.begin(), "start a 1.1");
}

TEST(ApplyPause, DecidesNothingUntilResume) {
  TestRun run("a");
  run.begin();
  run.pause();
  EXPECT_EQ(run.succeed("a"), "");
  EXPECT_EQ(run.status(), "PAUSED");
  EXPECT_EQ(run.resume(), "announce; finish");
}

TEST(ApplyPause, AnswersOfExpressionsAreAskedForAgain) {
  TestRun run(R"(a {"when":"true"})");
  run.begin();
  run.pause();
  EXPECT_EQ(run.decide("a"), "");
  EXPECT_FALSE(run.task("a").decided);
  EXPECT_EQ(run.resume(), "decide a");
}

TEST(ApplyPause, TimersActOnResume) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":5}; b)", R"("timeout_seconds":60)");
  run.begin();
  run.fail("a");
  run.pause();
  EXPECT_EQ(run.pass(30), "");
  EXPECT_EQ(run.resume(), "start a 2.2");
  run.pause();
  EXPECT_EQ(run.pass(60), "");
  run.resume();
  EXPECT_EQ(run.pass(0), "stop a 2; stop b 1; announce");
}

TEST(ApplyPause, AnAttemptsTimeoutActsAtOnce) {
  TestRun run(R"(a {"timeout_seconds":5})");
  run.begin();
  run.pause();
  EXPECT_EQ(run.pass(5), "stop a 1");
  EXPECT_EQ(run.fail("a"), "");
  EXPECT_EQ(run.resume(), "announce; finish");
}

TEST(ApplyPause, ACancelEndsIt) {
  TestRun run("a");
  run.begin();
  run.pause();
  EXPECT_EQ(run.cancel(), "stop a 1; announce");
  EXPECT_EQ(run.resume(), "");
  EXPECT_EQ(run.succeed("a"), "finish");
}

TEST(ApplyPause, Twice) {
  TestRun run("a");
  run.begin();
  run.pause();
  run.pause();
  EXPECT_TRUE(run.facts_last.empty());
  run.resume();
  run.resume();
  EXPECT_TRUE(run.facts_last.empty());
}

TEST(ApplyPause, OutlivesARestart) {
  TestRun run("a*; b < a");
  run.begin();
  run.grant("a");
  run.pause();
  EXPECT_EQ(run.recover(), "");
  EXPECT_EQ(run.resume(), "slot a");
}

}  // namespace
}  // namespace engine
