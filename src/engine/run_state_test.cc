// Facts that do not fit are refused and change nothing: a damaged journal fails its run only.
#include "engine/run_state.h"

#include "engine/test_run.h"

namespace engine {
namespace {

const Failure broke{"exit_code", "it broke"};
const base::Timestamp at = base::from_us(1);

RunState folded(const std::string& plan, const std::vector<Fact>& facts) {
  RunState state(base::RunId(1), test_plan(plan));
  for (const Fact& fact : facts) {
    base::Result<> result = fold(state, fact, at);
    EXPECT_TRUE(result) << result.error().message;
  }
  return state;
}

// Folds `fact` after `before`, which fit, and expects it to be refused.
void expect_refused(const std::vector<Fact>& before, const Fact& fact) {
  RunState state = folded("a; b < a; c*", before);
  RunState copy = state;
  base::Result<> result = fold(state, fact, at);
  EXPECT_FALSE(result) << "fact " << fact.index();
  EXPECT_TRUE(state.tasks == copy.tasks);
  EXPECT_EQ(state.status, copy.status);
  EXPECT_EQ(std::tie(state.open, state.live, state.active),
            std::tie(copy.open, copy.live, copy.active));
}

const std::vector<Fact> begun{RunStarted{}};
const std::vector<Fact> a_runs{RunStarted{}, AttemptStarted{0, 1, 1}};
const std::vector<Fact> a_stops{
    RunStarted{}, AttemptStarted{0, 1, 1},
    AttemptFailed{0, 1, TaskStatus::retrying, broke, base::from_us(5), true}};
const std::vector<Fact> a_done{RunStarted{}, AttemptStarted{0, 1, 1}, AttemptSucceeded{0, 1, {}}};
const std::vector<Fact> decided{RunStarted{}, TasksEnded{TaskStatus::cancelled, {0, 1, 2}},
                                RunDecided{RunStatus::cancelled, std::nullopt}};

TEST(Fold, RefusesTasksThatDoNotExist) {
  for (const Fact& fact : std::vector<Fact>{
           TaskQueued{3}, AttemptStarted{3, 1, 1}, AttemptSucceeded{3, 1, {}},
           AttemptFailed{3, 1, TaskStatus::failed, broke, {}, false}, AttemptGone{3, 1},
           AttemptLost{3, 1}, TasksEnded{TaskStatus::skipped, {1, 3}}})
    expect_refused(begun, fact);
}

TEST(Fold, RefusesStartsOutOfOrder) {
  expect_refused({}, TaskQueued{2});
  expect_refused({}, AttemptStarted{0, 1, 1});
  expect_refused(begun, RunStarted{});
  expect_refused(begun, AttemptStarted{1, 1, 1});  // its parent has not ended
  expect_refused(begun, TaskQueued{1});
  expect_refused(begun, AttemptStarted{0, 1, 2});
  expect_refused(begun, AttemptStarted{0, 0, 1});
  expect_refused(begun, AttemptStarted{0, 2, 1});
  expect_refused(a_runs, AttemptStarted{0, 1, 2});
  expect_refused(a_runs, TaskQueued{0});
  expect_refused(a_stops, AttemptStarted{0, 2, 2});  // the old attempt still lives
  expect_refused(a_done, AttemptStarted{0, 2, 2});
  expect_refused({RunStarted{}, TaskQueued{2}}, TaskQueued{2});
}

TEST(Fold, RefusesEndsOfAttemptsThatDoNotLive) {
  for (const auto& before : {begun, a_done}) {
    expect_refused(before, AttemptSucceeded{0, 1, {}});
    expect_refused(before, AttemptFailed{0, 1, TaskStatus::failed, broke, {}, false});
    expect_refused(before, AttemptGone{0, 1});
    expect_refused(before, AttemptLost{0, 1});
  }
  expect_refused(a_runs, AttemptSucceeded{0, 2, {}});
  expect_refused(a_runs, AttemptGone{0, 1});  // nobody stopped it
}

TEST(Fold, RefusesASecondOutcomeOfAnAttempt) {
  expect_refused(a_stops, AttemptSucceeded{0, 1, {}});
  expect_refused(a_stops, AttemptFailed{0, 1, TaskStatus::failed, broke, {}, true});
  expect_refused(a_stops, AttemptLost{0, 1});
}

TEST(Fold, RefusesFailuresThatLeadNowhere) {
  for (TaskStatus then : {TaskStatus::pending, TaskStatus::queued, TaskStatus::running,
                          TaskStatus::succeeded, TaskStatus::skipped, TaskStatus::cancelled})
    expect_refused(a_runs, AttemptFailed{0, 1, then, broke, {}, false});
  expect_refused(a_runs, AttemptFailed{0, 1, TaskStatus::retrying, broke, {}, false});
  expect_refused(a_runs, AttemptFailed{0, 1, TaskStatus::failed, broke, at, false});
}

TEST(Fold, RefusesEndsWithoutAnAttemptOfOtherKinds) {
  for (TaskStatus status : {TaskStatus::pending, TaskStatus::running, TaskStatus::succeeded,
                            TaskStatus::failed, TaskStatus::timed_out})
    expect_refused(begun, TasksEnded{status, {0}});
  expect_refused(begun, TasksEnded{TaskStatus::skipped, {0, 0}});
  expect_refused(a_done, TasksEnded{TaskStatus::skipped, {1, 0}});
}

TEST(Fold, RefusesASecondEndOfTheRun) {
  expect_refused(decided, RunDecided{RunStatus::failed, broke});
  expect_refused(decided, RunStarted{});
  expect_refused(begun, RunDecided{RunStatus::running, std::nullopt});
  expect_refused(begun, RunDecided{RunStatus::succeeded, std::nullopt});  // tasks are open
}

TEST(Fold, RowsStopAtTheFirstThatIsDamaged) {
  TestRun run("a; b < a");
  run.begin();
  run.succeed("a");
  RunState state(base::RunId(1), test_plan("a; b < a"));
  EXPECT_FALSE(fold_rows(state, {run.journal[0], "{}", run.journal[1]}));
  RunState twice(base::RunId(1), test_plan("a; b < a"));
  EXPECT_FALSE(fold_rows(twice, {run.journal[0], run.journal[0]}));
}

TEST(Fold, CountsWhatIsOpenLiveAndActive) {
  auto counts = [](const std::vector<Fact>& facts) {
    RunState state = folded("a; b < a; c*", facts);
    return std::vector<std::uint32_t>{state.open, state.live, state.active};
  };
  using Counts = std::vector<std::uint32_t>;
  EXPECT_EQ(counts({}), (Counts{3, 0, 0}));
  EXPECT_EQ(counts(a_runs), (Counts{3, 1, 1}));
  EXPECT_EQ(counts(a_stops), (Counts{3, 1, 1}));
  EXPECT_EQ(counts(a_done), (Counts{2, 0, 0}));
  EXPECT_EQ(counts({RunStarted{}, TaskQueued{2}}), (Counts{3, 0, 1}));
  EXPECT_EQ(counts({RunStarted{}, TaskQueued{2}, AttemptStarted{2, 1, 1}}), (Counts{3, 1, 1}));
  EXPECT_EQ(counts(decided), (Counts{0, 0, 0}));
}

}  // namespace
}  // namespace engine
