// The shard step by step: cases that the simulator has found, each with its name.
#include "sim/shard_fixture.h"

namespace sim {
namespace {

TEST_F(ShardTest, RunsToTheEnd) {
  use(instant);
  step(create());
  step(watch(run, 5s));
  step(succeed(run));
  EXPECT_EQ(told, (Texts{"created", "SUCCEEDED, lives not"}));
  EXPECT_EQ(executor.notes, (Texts{"start 1", "finished"}));
  EXPECT_EQ(shard.live_runs(), 0u);
  EXPECT_EQ(shard.next_wake(), std::nullopt);
}

TEST_F(ShardTest, NothingStartsWhenTheCommitFails) {
  use(instant);
  failing = true;
  step(create());
  EXPECT_EQ(told, Texts{"refused"});
  EXPECT_TRUE(executor.notes.empty());
  EXPECT_EQ(shard.live_runs(), 0u);
}

TEST_F(ShardTest, AReportIsAppliedAgainWhenItsCommitFailed) {
  use(instant);
  step(create());
  failing = true;
  step(succeed(run));
  EXPECT_EQ(shard.next_wake(), clock.time + 100ms);
  failing = false;
  clock.time += 100ms;
  step();
  EXPECT_TRUE(store.finished().contains(run));
}

TEST_F(ShardTest, ACommandIsAnsweredOnceWhenTheCommitFails) {
  use(instant);
  step(create());
  take(told);
  failing = true;
  step(cancel(RunId(99)), cancel(run), cancel(run));
  EXPECT_EQ(told, (Texts{"the disk is full", "the disk is full", "the disk is full"}));
}

TEST_F(ShardTest, AWaiterIsKeptWhenTheCommitFails) {
  use(instant);
  step(create());
  take(told);
  failing = true;
  step(succeed(run), watch(run, 5s), watch(RunId(99), 5s));
  EXPECT_EQ(told, Texts{});
  failing = false;
  step();
  EXPECT_EQ(told, (Texts{"look into the store, lives not", "look into the store, lives not"}));
}

TEST_F(ShardTest, ARunThatEndsInThisStepIsGoneOnlyAfterTheCommit) {
  use(instant);
  step(create());
  take(told);
  step(succeed(run), watch(run, 5s), cancel(run));
  EXPECT_EQ(told, (Texts{"the run does not live", "look into the store, lives not"}));
}

TEST_F(ShardTest, ASecondCancelIsRefusedOnlyAfterTheCommit) {
  use(process);
  step(create());
  take(told);
  failing = true;
  step(cancel(run), cancel(run));
  failing = false;
  EXPECT_EQ(take(told), (Texts{"the disk is full", "the disk is full"}));
  step(cancel(run), cancel(run));
  EXPECT_EQ(told, (Texts{"cancelled", "the run is already final"}));
}

TEST_F(ShardTest, AWaiterWhoseTimeIsUpIsToldWhatIsCommitted) {
  use(process);
  step(create());
  step(watch(run, 1s));
  take(told);
  clock.time += 1s;
  failing = true;
  step(cancel(run));
  EXPECT_EQ(take(told), Texts{"the disk is full"});
  failing = false;
  step();
  EXPECT_EQ(told, Texts{"RUNNING, lives"});
}

TEST_F(ShardTest, TheSlotOfADroppedDuplicateIsGranted) {
  use(process);
  step(create("k"));
  step(succeed(run));
  step(create("k"), create());  // the first takes the slot and is dropped
  EXPECT_EQ(told, (Texts{"created", "existed", "created"}));
  ASSERT_EQ(shard.next_wake(), clock.time);
  step();
  EXPECT_EQ(shard.slots_held(), 1u);
  EXPECT_EQ(executor.runs.back(), run);
}

TEST_F(ShardTest, AKeyWithAnotherBodyIsRefused) {
  use(instant);
  step(create("k"), create("k"), create("k", "other"));
  EXPECT_EQ(told, (Texts{"existed", "refused", "created"}));
  EXPECT_EQ(store.live().size(), 1u);
  EXPECT_EQ(executor.notes, Texts{"start 1"});
}

TEST_F(ShardTest, TimersWaitWhileTheStoreRefuses) {
  use(R"({"name":"f","timeout_seconds":1,"tasks":[{"id":"a","type":"instant"}]})");
  step(create());
  clock.time += 2s;
  failing = true;
  for (int i = 0; i < 3; ++i) {
    step();
    EXPECT_EQ(shard.next_wake(), clock.time + 100ms);
    clock.time += 100ms;
  }
  failing = false;
  step();
  EXPECT_EQ(executor.notes, (Texts{"start 1", "stop 1"}));
  step(succeed(run));
  EXPECT_EQ(store.finished().at(run).status, RunStatus::failed);
}

TEST_F(ShardTest, ARunWhoseJournalIsDamagedDoesNotHoldUpTheOthers) {
  use(instant);
  step(create());
  RunId damaged = run;
  step(create());
  step(watch(damaged, 5s));
  take(told);
  store.damage(damaged);
  failing = true;
  step(succeed(damaged), succeed(run));
  failing = false;
  step();
  EXPECT_EQ(store.finished().at(damaged).failure->kind, "damaged");
  EXPECT_EQ(store.finished().at(run).status, RunStatus::succeeded);
  EXPECT_EQ(told, Texts{"look into the store, lives not"});
  EXPECT_EQ(executor.notes, (Texts{"start 1", "start 1", "finished"}));
}

TEST_F(ShardTest, ARestartFailsADamagedRunAndGoesOnWithTheOthers) {
  use(instant);
  step(create());
  RunId damaged = run;
  step(create());
  store.damage(damaged);
  ledger.recovering = true;
  runtime::Shard after(store, executor, clock, model::test_catalog(), {1, 0});
  ASSERT_TRUE(after.recover());
  EXPECT_EQ(store.finished().at(damaged).status, RunStatus::failed);
  EXPECT_EQ(after.live_runs(), 1u);
  EXPECT_EQ(executor.notes.back(), "start 2");
}

TEST_F(ShardTest, IdsGrowOverARestartWhenTheClockWasSetBack) {
  use(instant);
  step(create());
  RunId before = run;
  clock.time -= 1h;
  ledger.recovering = true;
  runtime::Shard after(store, executor, clock, model::test_catalog(), {1, 0});
  ASSERT_TRUE(after.recover());
  std::vector<Message> messages;
  messages.push_back(create());
  after.step(std::move(messages));
  EXPECT_GT(run, before);
}

TEST_F(ShardTest, HoldingStartsLetsNoProcessStart) {
  use(process);
  shard.hold_starts();
  step(create());
  EXPECT_TRUE(executor.notes.empty());
  EXPECT_EQ(shard.slots_held(), 0u);
}

}  // namespace
}  // namespace sim
