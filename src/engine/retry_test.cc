// Delays before a further attempt, and which failures have one.
#include "engine/retry.h"

#include "engine/test_run.h"

namespace engine {
namespace {

double seconds(base::Duration delay) {
  return std::chrono::duration<double>(delay).count();
}

// The delay after each failure of a task that fails again and again.
std::vector<double> delays(const std::string& members, int count) {
  TestRun run("a {" + members + "}");
  run.begin();
  std::vector<double> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(seconds(retry_delay(run.state, 0)));
    run.fail("a");
    run.pass(1e5);
  }
  return out;
}

TEST(Retry, TheLastDelayOfAListRepeats) {
  EXPECT_EQ(delays(R"("retries":9,"retry_delay_seconds":[1,5,30])", 5),
            (std::vector<double>{1, 5, 30, 30, 30}));
  EXPECT_EQ(delays(R"("retries":9,"retry_delay_seconds":2.5)", 2),
            (std::vector<double>{2.5, 2.5}));
  EXPECT_EQ(delays(R"("retries":9)", 2), (std::vector<double>{0, 0}));
}

TEST(Retry, BackoffGrowsToItsMaximum) {
  EXPECT_EQ(delays(R"("retries":9,"retry_backoff":{"initial":1,"factor":3,"max":20})", 5),
            (std::vector<double>{1, 3, 9, 20, 20}));
}

TEST(Retry, JitterStaysInItsBoundsAndIsTheRuns) {
  double least = 1e9, most = 0;
  for (int id = 1; id <= 200; ++id) {
    const char* task = R"(a {"retries":1,"retry_delay_seconds":10,"retry_jitter_factor":0.5})";
    TestRun run(task, "", base::RunId(id));
    run.begin();
    double delay = seconds(retry_delay(run.state, 0));
    EXPECT_EQ(delay, seconds(retry_delay(run.state, 0)));
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  EXPECT_GE(least, 10);
  EXPECT_LT(most, 15);
  EXPECT_GT(most - least, 4);  // and is spread
}

TEST(Retry, OnlyOfTheKindsThatAreNamed) {
  TestRun run(R"(a {"retries":1,"retry_on":["timeout"]})");
  EXPECT_TRUE(may_retry(run.task("a"), run.state.planned(0), {"timeout", ""}));
  EXPECT_FALSE(may_retry(run.task("a"), run.state.planned(0), {"exit_code", ""}));
}

TEST(Retry, NeverOfWhatWouldFailAgain) {
  TestRun run(R"(a {"retries":1})");
  EXPECT_TRUE(may_retry(run.task("a"), run.state.planned(0), {"exit_code", ""}));
  EXPECT_FALSE(may_retry(run.task("a"), run.state.planned(0), {"expression", ""}));
  EXPECT_FALSE(may_retry(run.task("a"), run.state.planned(0), {"invalid_config", ""}));
}

// What stands in the way of a retry may be the clock itself.
TEST(Retry, WaitsAnewWhenTheClockWasSetBack) {
  TestRun run(R"(a {"retries":1,"retry_delay_seconds":10}; b; c)", R"("max_parallel":2)");
  EXPECT_EQ(run.begin(), "start a 1.1; start b 1.1");
  EXPECT_EQ(run.fail("a"), "start c 1.1");
  EXPECT_EQ(run.pass(10), "");  // the run is at its max_parallel
  run.now -= std::chrono::seconds(5);
  EXPECT_EQ(run.succeed("b"), "");
  EXPECT_EQ(run.pass(5), "start a 2.2");
}

TEST(Retry, FollowsAnAttemptThatWasStoppedThoughTheClockWasSetBack) {
  TestRun run(R"(a {"retries":1,"timeout_seconds":5})");
  run.begin();
  EXPECT_EQ(run.pass(5), "stop a 1");
  run.now -= std::chrono::seconds(3);
  EXPECT_EQ(run.fail("a"), "");
  EXPECT_EQ(run.pass(3), "start a 2.2");
}

}  // namespace
}  // namespace engine
