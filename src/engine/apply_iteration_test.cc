// repeat_until: iterations, their attempts and their retries.
#include "engine/test_run.h"

namespace engine {
namespace {

std::string again(TestRun& run, const std::string& id, const std::string& output = "1") {
  TaskIndex i = run.index(id);
  return run.apply(AttemptReport{
      i, run.state.tasks[i].epoch, true, Value::inline_json(output), {}, /*again=*/true});
}

TEST(ApplyIteration, RunsAgainWhileItsConditionIsFalse) {
  TestRun run(R"(a {"repeat_until":"true"}; b < a)");
  run.begin();
  EXPECT_EQ(again(run, "a", "1"), "start a 2.2");
  EXPECT_EQ(run.task("a").iteration, 1);
  EXPECT_EQ(run.task("a").output.json, "1");
  EXPECT_EQ(run.succeed("a", 0, "2"), "start b 1.1");
  EXPECT_EQ(run.task("a").output.json, "2");
}

TEST(ApplyIteration, FailsAfterMaxIterations) {
  TestRun run(R"(a {"repeat_until":"true","max_iterations":2,"retries":5})");
  run.begin();
  again(run, "a");
  EXPECT_EQ(again(run, "a"), "announce; finish");
  EXPECT_EQ(run.task("a").failure->kind, "max_iterations");
}

TEST(ApplyIteration, HasItsRetriesEachTime) {
  TestRun run(R"(a {"repeat_until":"true","retries":1})");
  run.begin();
  EXPECT_EQ(run.fail("a"), "start a 2.2");
  EXPECT_EQ(again(run, "a"), "start a 3.3");
  EXPECT_EQ(run.fail("a"), "start a 4.4");
  EXPECT_EQ(run.task("a").output.json, "1");  // the last iteration's, for `previous`
  EXPECT_EQ(run.fail("a"), "announce; finish");
}

TEST(ApplyIteration, AsksForItsSlotEachTime) {
  TestRun run(R"(a* {"repeat_until":"true"})");
  run.begin();
  run.grant("a");
  EXPECT_EQ(again(run, "a"), "slot a");
  EXPECT_EQ(run.grant("a"), "start a 2.2");
}

TEST(ApplyIteration, ThatIsLostKeepsItsNumber) {
  TestRun run(R"(a {"repeat_until":"true"})");
  run.begin();
  again(run, "a");
  EXPECT_EQ(run.recover(), "start a 2.3");
}

TEST(ApplyIteration, DoesNotGoOnAfterACancel) {
  TestRun run(R"(a {"repeat_until":"true"})");
  run.begin();
  run.cancel();
  EXPECT_EQ(again(run, "a"), "finish");
}

}  // namespace
}  // namespace engine
