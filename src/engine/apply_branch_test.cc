// Branches and `when`: what is chosen, what is skipped by choice, and what follows from that.
#include "engine/test_run.h"

namespace engine {
namespace {

// A branch with two labelled edges, and a join.
std::string branch(const std::string& join_rule) {
  return R"({"id":"b","type":"branch","config":{"choices":{"x":"true"},"otherwise":"y"}},)"
         R"({"id":"left","type":"instant"},{"id":"right","type":"instant"},)"
         R"({"id":"join","type":"instant","trigger_rule":")" +
         join_rule + R"("}],"edges":[{"source":"b","target":"left","label":"x"},)" +
         R"({"source":"b","target":"right","label":"y"},{"source":"left","target":"join"},)" +
         R"({"source":"right","target":"join"})";
}

TestRun branch_run(const std::string& join_rule) {
  TestRun run("a");
  auto plan = model::load_plan(R"({"name":"f","tasks":[)" + branch(join_rule) + "]}", "1",
                               model::test_catalog());
  if (!plan) throw std::invalid_argument(plan.error().message);
  run.state = RunState(base::RunId(1), *plan);
  return run;
}

TEST(ApplyBranch, TakesTheEdgesWithItsLabel) {
  TestRun run = branch_run("all_success");
  EXPECT_EQ(run.begin(), "decide b");
  EXPECT_EQ(run.choose("b", "\"x\""), "start left 1.1");
  EXPECT_EQ(run.statuses(), "b SUCCEEDED, left RUNNING, right SKIPPED, join PENDING");
  EXPECT_TRUE(run.task("right").by_choice);
  EXPECT_EQ(run.succeed("left"), "start join 1.1");
}

TEST(ApplyBranch, WithNoLabelTakesNone) {
  TestRun run = branch_run("all_success");
  run.begin();
  EXPECT_EQ(run.choose("b", "null"), "announce; finish");
  EXPECT_EQ(run.statuses(), "b SUCCEEDED, left SKIPPED, right SKIPPED, join SKIPPED");
  EXPECT_TRUE(run.task("join").by_choice);  // only reachable through what was not chosen
  EXPECT_EQ(run.status(), "SUCCEEDED");
}

TEST(ApplyBranch, TheJoinsRuleSeesAChoice) {
  TestRun none_failed = branch_run("none_failed");
  none_failed.begin();
  EXPECT_EQ(none_failed.choose("b", "null"), "start join 1.1");
  TestRun one_failed = branch_run("one_failed");
  one_failed.begin();
  one_failed.choose("b", "\"y\"");
  EXPECT_EQ(one_failed.succeed("right"), "announce; finish");
  EXPECT_TRUE(one_failed.task("join").by_choice);
}

TEST(ApplyBranch, ThatFailsIsAFailure) {
  TestRun run = branch_run("all_done");
  run.begin();
  Decided decided;
  decided.failure = Failure{"expression", "no such key"};
  EXPECT_EQ(run.decide("b", decided), "start join 1.1");  // its parents were cancelled
  EXPECT_EQ(run.statuses(), "b FAILED, left CANCELLED, right CANCELLED, join RUNNING");
  EXPECT_EQ(run.succeed("join"), "announce; finish");
  EXPECT_EQ(run.status(), "FAILED");
}

TEST(ApplyWhen, FalseSkipsByChoice) {
  TestRun run(R"(a {"when":"true"}; b < a; c < a {"trigger_rule":"none_failed"})");
  EXPECT_EQ(run.begin(), "decide a");
  EXPECT_EQ(run.skip_by_when("a"), "start c 1.1");
  EXPECT_EQ(run.statuses(), "a SKIPPED, b SKIPPED, c RUNNING");
  EXPECT_TRUE(run.task("b").by_choice);
}

TEST(ApplyWhen, IsNotRetried) {
  TestRun run(R"(a {"when":"true","retries":3})");
  run.begin();
  Decided decided;
  decided.failure = Failure{"expression", "no such key"};
  EXPECT_EQ(run.decide("a", decided), "announce; finish");
  EXPECT_EQ(run.task("a").attempt, 0);
}

TEST(ApplyWhen, AnAnswerThatComesTwiceOrLateChangesNothing) {
  TestRun run(R"(a {"when":"true"})");
  run.begin();
  EXPECT_EQ(run.decide("a"), "start a 1.1");
  EXPECT_EQ(run.skip_by_when("a"), "");
  run.fail("a");
  EXPECT_EQ(run.decide("a").find("start"), std::string::npos);
}

TEST(ApplyRules, FailFastSparesWhatHandlesFailures) {
  TestRun run(R"(a; b; handler < a {"trigger_rule":"one_failed"}; always < b )"
              R"({"trigger_rule":"all_done"}; next < handler)");
  run.begin();
  EXPECT_EQ(run.fail("a"), "stop b 1; start handler 1.1; start always 1.1");
  EXPECT_EQ(run.statuses(),
            "a FAILED, b CANCELLED, handler RUNNING, always RUNNING, next CANCELLED");
  run.succeed("b");
  run.succeed("handler");
  EXPECT_EQ(run.succeed("always"), "announce; finish");
  EXPECT_EQ(run.status(), "FAILED");  // handled, and a failure all the same
}

TEST(ApplyRules, WithoutFailFastTheRestGoesOn) {
  TestRun run(R"(a; b; c < a b {"trigger_rule":"one_success"}; d < a)", R"("fail_fast":false)");
  run.begin();
  EXPECT_EQ(run.fail("a"), "");
  EXPECT_EQ(run.task("d").status, TaskStatus::skipped);
  EXPECT_FALSE(run.task("d").by_choice);
  EXPECT_EQ(run.succeed("b"), "start c 1.1");
}

}  // namespace
}  // namespace engine
