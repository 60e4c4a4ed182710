// Delays and approvals: durable, without an attempt.
#include "engine/test_run.h"

namespace engine {
namespace {

// A run of one task of that type and one after it.
TestRun waiting_run(const std::string& type) {
  TestRun run("a");
  auto plan = model::load_plan(R"({"name":"f","tasks":[{"id":"w","type":")" + type +
                                   R"("},{"id":"next","type":"instant","depends_on":["w"]}]})",
                               "1", model::test_catalog());
  if (!plan) throw std::invalid_argument(plan.error().message);
  run.state = RunState(base::RunId(1), *plan);
  return run;
}

Decided wait_until(base::Timestamp until, WaitEnd then = WaitEnd::succeed) {
  Decided decided;
  decided.until = until;
  decided.then = then;
  return decided;
}

using namespace std::chrono_literals;

TEST(ApplyDelay, EndsAtItsTime) {
  TestRun run = waiting_run("delay");
  EXPECT_EQ(run.begin(), "decide w");
  EXPECT_EQ(run.decide("w", wait_until(run.now + 24h * 60)), "");
  EXPECT_EQ(run.statuses(), "w WAITING, next PENDING");
  EXPECT_EQ(run.state.active, 0u);
  EXPECT_EQ(run.pass(60 * 86'400 - 1), "");
  EXPECT_EQ(run.pass(1), "start next 1.1");
  EXPECT_EQ(run.task("w").output.json, "null");
  EXPECT_EQ(run.task("w").attempt, 0);
}

TEST(ApplyDelay, IsTakenUpAfterARestart) {
  TestRun run = waiting_run("delay");
  run.begin();
  run.decide("w", wait_until(run.now + 10s));
  run.now += 20s;
  EXPECT_EQ(run.recover(), "");
  EXPECT_EQ(run.pass(0), "start next 1.1");
}

TEST(ApplyDelay, ThatEndsInAPauseEndsOnResume) {
  TestRun run = waiting_run("delay");
  run.begin();
  run.decide("w", wait_until(run.now + 10s));
  run.pause();
  EXPECT_EQ(run.pass(60), "");
  EXPECT_EQ(run.task("w").status, TaskStatus::waiting);
  run.resume();
  EXPECT_EQ(run.pass(0), "start next 1.1");
}

TEST(ApplyDelay, IsCancelledWithTheRun) {
  TestRun run = waiting_run("delay");
  run.begin();
  run.decide("w", wait_until(run.now + 10s));
  EXPECT_EQ(run.cancel(), "announce; finish");
}

TEST(ApplyApproval, IsDecidedByAPerson) {
  TestRun run = waiting_run("approval");
  run.begin();
  run.decide("w");
  EXPECT_EQ(run.pass(1e6), "");
  EXPECT_EQ(run.apply(ApprovalDecided{0, true, Value::inline_json("{\"ok\":1}"), ""}),
            "start next 1.1");
  EXPECT_EQ(run.task("w").output.json, "{\"ok\":1}");
  EXPECT_EQ(run.apply(ApprovalDecided{0, false, {}, "no"}), "");  // twice
  EXPECT_EQ(run.task("w").status, TaskStatus::succeeded);
}

TEST(ApplyApproval, RejectedFailsTheTask) {
  TestRun run = waiting_run("approval");
  run.begin();
  run.decide("w");
  EXPECT_EQ(run.apply(ApprovalDecided{0, false, {}, "too risky"}), "announce; finish");
  EXPECT_EQ(run.task("w").failure, (Failure{"rejected", "too risky"}));
}

TEST(ApplyApproval, MayBeDecidedWhileTheRunIsPaused) {
  TestRun run = waiting_run("approval");
  run.begin();
  run.decide("w");
  run.pause();
  EXPECT_EQ(run.apply(ApprovalDecided{0, true, {}, ""}), "");
  EXPECT_EQ(run.resume(), "start next 1.1");
}

TEST(ApplyApproval, TheEndOfItsTimeMeansWhatItSays) {
  TestRun approve = waiting_run("approval");
  approve.begin();
  approve.decide("w", wait_until(approve.now + 5s));
  EXPECT_EQ(approve.pass(5), "start next 1.1");
  EXPECT_NE(approve.task("w").output.json.find("approved"), std::string::npos);

  TestRun reject = waiting_run("approval");
  reject.begin();
  reject.decide("w", wait_until(reject.now + 5s, WaitEnd::reject));
  EXPECT_EQ(reject.pass(5), "announce; finish");
  EXPECT_EQ(reject.task("w").failure->kind, "rejected");

  TestRun fail = waiting_run("approval");
  fail.begin();
  fail.decide("w", wait_until(fail.now + 5s, WaitEnd::fail));
  EXPECT_EQ(fail.pass(5), "announce; finish");
  EXPECT_EQ(fail.task("w").status, TaskStatus::timed_out);
}

TEST(ApplyApproval, OfAnotherTaskIsIgnored) {
  TestRun run = waiting_run("approval");
  run.begin();
  run.decide("w");
  EXPECT_EQ(run.apply(ApprovalDecided{1, true, {}, ""}), "");
  EXPECT_EQ(run.apply(ApprovalDecided{99, true, {}, ""}), "");
}

}  // namespace
}  // namespace engine
