// Hooks: run when the status is decided and nothing of the flow lives, and never change it.
#include "engine/test_run.h"

namespace engine {
namespace {

constexpr const char* all_hooks =
    R"("on_success":[{"id":"s","type":"instant"}],"on_failure":[{"id":"f","type":"instant"}],)"
    R"("on_cancel":[{"id":"c","type":"instant"}])";

TEST(ApplyHooks, FollowTheStatusThatTheyAreFor) {
  TestRun good("a", all_hooks);
  EXPECT_EQ(good.begin(), "start a 1.1");
  EXPECT_EQ(good.succeed("a"), "announce; start s 1.1");
  EXPECT_EQ(good.statuses(), "a SUCCEEDED, s RUNNING, f SKIPPED, c SKIPPED");
  EXPECT_EQ(good.succeed("s"), "finish");

  TestRun bad("a", all_hooks);
  bad.begin();
  EXPECT_EQ(bad.fail("a"), "announce; start f 1.1");
  EXPECT_EQ(bad.succeed("f"), "finish");
  EXPECT_EQ(bad.status(), "FAILED");
}

TEST(ApplyHooks, BeginWhenNothingOfTheFlowLives) {
  TestRun run("a; b", all_hooks);
  run.begin();
  EXPECT_EQ(run.cancel(), "stop a 1; stop b 1; announce");
  EXPECT_EQ(run.succeed("a"), "");
  EXPECT_EQ(run.fail("b"), "start c 1.1");
  EXPECT_EQ(run.succeed("c"), "finish");
  EXPECT_EQ(run.status(), "CANCELLED");
}

TEST(ApplyHooks, FollowTheTimeoutOfARun) {
  TestRun run("a", std::string(all_hooks) + R"(,"timeout_seconds":5)");
  run.begin();
  EXPECT_EQ(run.pass(5), "stop a 1; announce");
  EXPECT_EQ(run.fail("a"), "start f 1.1");
}

TEST(ApplyHooks, FollowACancelBeforeTheRunBegan) {
  TestRun run("a", all_hooks);
  EXPECT_EQ(run.cancel(), "announce; start c 1.1");
  EXPECT_EQ(run.succeed("c"), "finish");
}

TEST(ApplyHooks, ThatFailChangeNothing) {
  TestRun run("a", R"("on_success":[{"id":"s","type":"instant","retries":1},)"
                   R"({"id":"t","type":"instant"}])");
  run.begin();
  EXPECT_EQ(run.succeed("a"), "announce; start s 1.1; start t 1.1");
  EXPECT_EQ(run.fail("s"), "start s 2.2");
  EXPECT_EQ(run.fail("s"), "");
  EXPECT_EQ(run.succeed("t"), "finish");
  EXPECT_EQ(run.status(), "SUCCEEDED");
  EXPECT_EQ(run.state.failure, std::nullopt);
  EXPECT_EQ(run.state.first_failed, std::nullopt);
}

TEST(ApplyHooks, TakeTenMinutesAtMost) {
  TestRun run("a", R"("on_success":[{"id":"s","type":"instant"},{"id":"q","type":"process",)"
                   R"("config":{"command":"x"}}])");
  run.begin();
  EXPECT_EQ(run.succeed("a"), "announce; start s 1.1; slot q");
  EXPECT_EQ(run.pass(599), "");
  EXPECT_EQ(run.pass(1), "stop s 1; withdraw q");
  EXPECT_EQ(run.succeed("s"), "finish");
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(ApplyHooks, MayBeSkippedByWhen) {
  TestRun run("a", R"("on_success":[{"id":"s","type":"instant","when":"true"}])");
  run.begin();
  EXPECT_EQ(run.succeed("a"), "announce; decide s");
  EXPECT_EQ(run.skip_by_when("s"), "finish");
}

TEST(ApplyHooks, AreTakenUpAfterARestart) {
  TestRun run("a", all_hooks);
  run.begin();
  run.succeed("a");
  EXPECT_EQ(run.recover(), "start s 1.2");
  EXPECT_EQ(run.pass(600), "stop s 2");
}

TEST(ApplyHooks, AreNoTasksOfTheRun) {
  TestRun run("a; b < a", all_hooks);
  EXPECT_EQ(run.state.open, 2u);
  run.begin();
  EXPECT_EQ(run.fail("a"), "announce; start f 1.1");  // fail_fast ends b, not the hooks
  EXPECT_EQ(run.statuses(), "a FAILED, b CANCELLED, s SKIPPED, f RUNNING, c SKIPPED");
}

}  // namespace
}  // namespace engine
