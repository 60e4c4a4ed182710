// The shard across runs: concurrency policies, sub-flows, approvals, and why a run waits.
#include "sim/shard_fixture.h"

namespace sim {
namespace {

using Code = runtime::Reason::Code;

std::string limited(const char* policy, const char* more = "", int limit = 1) {
  return fmt::format(R"({{"name":"f","concurrency_limit":{},"concurrency_policy":"{}",)"
                     R"("tasks":[{{"id":"a","type":"process","config":{{"command":"x"}}}}]{}}})",
                     limit, policy, more);
}

class ShardRulesTest : public ShardTest {
 protected:
  ShardRulesTest() { ledger.checks_rules = false; }  // what happens is not a script's
  Message create_in(const char* org, const char* limit_key = "") {
    Message message = create();
    auto& asked = std::get<runtime::CreateRun>(message);
    asked.run.org_id = org;
    asked.run.concurrency_key = limit_key;
    return message;
  }
  Message create_limited(std::optional<std::string> key = {}) {
    Message message = create(std::move(key));
    std::get<runtime::CreateRun>(message).run.concurrency_key = "run";
    return message;
  }
  RunId created(Message message) {
    step(std::move(message));
    return run;
  }
  Message control(RunId id, engine::Event event) {
    return runtime::ControlRun{id, std::move(event), {}, [this](base::Result<> result) {
                                 told.push_back(result ? "done" : result.error().message);
                               }};
  }
  /// The commit of a command to the run fails, so that its rows are read from the store again.
  void read_again(RunId id) {
    failing = true;
    step(cancel(id));
    failing = false;
    step();
  }
  Message start_child(RunId parent, int epoch = 1, const char* limit_key = "") {
    runtime::StartChild message;
    message.run = parent;
    message.epoch = epoch;
    message.plan = store.flows.at("f").plan;
    message.child.flow_name = "f";
    message.child.parent = parent;
    message.child.concurrency_key = limit_key;
    return message;
  }
  Message decided(RunId id, engine::Decided result = {}, bool opens_approval = false) {
    runtime::TaskComputed message{id, {0, std::move(result)}, {}};
    if (opens_approval) {
      message.approval.emplace();
      message.approval->run = id;
    }
    return message;
  }
  runtime::Explanation explain(RunId id) {
    runtime::Explanation out;
    step(Message(runtime::ExplainRun{id, [&](base::Result<runtime::Explanation> result) {
                                       ASSERT_TRUE(result);
                                       out = *result;
                                     }}));
    return out;
  }
  runtime::Reason only_reason(RunId id) {
    runtime::Explanation explanation = explain(id);
    EXPECT_EQ(explanation.reasons.size(), 1u);
    return explanation.reasons.empty() ? runtime::Reason{} : explanation.reasons[0];
  }
  RunStatus status(RunId id) const {
    auto found = store.finished().find(id);
    return found != store.finished().end() ? found->second.status : store.live().at(id).row.status;
  }
};

// ---- concurrency policies ----

TEST_F(ShardRulesTest, QueueLetsARunWait) {
  use(limited("queue").c_str());
  RunId first = created(create_limited());
  RunId second = created(create_limited());
  EXPECT_EQ(status(second), RunStatus::queued);
  step(succeed(first));
  EXPECT_EQ(status(second), RunStatus::running);
}

TEST_F(ShardRulesTest, SkipRefusesARun) {
  use(limited("skip").c_str());
  step(create_limited(), create_limited());
  EXPECT_EQ(told, (Texts{"created", "refused"}));
}

TEST_F(ShardRulesTest, ARefusalIsToldOnlyAfterTheCommit) {
  use(limited("skip").c_str());
  failing = true;
  step(create_limited(), create_limited());
  EXPECT_EQ(told, (Texts{"refused", "refused"}));
  EXPECT_EQ(shard.live_runs(), 0u);
}

TEST_F(ShardRulesTest, CancelRunningEndsTheOldest) {
  use(limited("cancel_running").c_str());
  RunId first = created(create_limited());
  RunId second = created(create_limited());
  EXPECT_EQ(status(first), RunStatus::cancelled);
  EXPECT_EQ(status(second), RunStatus::queued);  // until the first has let go
  step(succeed(first));
  EXPECT_EQ(status(second), RunStatus::running);
}

// A commit that fails has the store's rows of its runs read again.
TEST_F(ShardRulesTest, CancelRunningEndsTheOldestAlsoWhenItWasReadAgain) {
  use(limited("cancel_running", "", 2).c_str());
  RunId first = created(create_limited());
  RunId second = created(create_limited());
  read_again(first);
  RunId third = created(create_limited());
  EXPECT_EQ(status(first), RunStatus::cancelled);
  EXPECT_EQ(status(second), RunStatus::running);
  read_again(third);
  step(succeed(first));
  EXPECT_EQ(status(third), RunStatus::running);
}

TEST_F(ShardRulesTest, ARunThatWasReadAgainKeepsItsPlaceInTheQueue) {
  use(limited("queue").c_str());
  RunId first = created(create_limited());
  RunId second = created(create_limited());
  clock.time += 1s;
  RunId third = created(create_limited());
  clock.time += 1s;
  read_again(second);
  step(succeed(first));
  EXPECT_EQ(status(second), RunStatus::running);
  EXPECT_EQ(status(third), RunStatus::queued);
}

// The older run's task waits for less long.
TEST_F(ShardRulesTest, ATaskThatWasReadAgainKeepsItsPlaceInTheQueue) {
  use(R"({"name":"f","tasks":[{"id":"p","type":"process","config":{"command":"x"}},)"
      R"({"id":"q","type":"process","config":{"command":"x"},"depends_on":["i"]},)"
      R"({"id":"i","type":"instant"}]})");
  RunId older = created(create());
  use(process);
  clock.time += 1s;
  RunId younger = created(create());
  clock.time += 1s;
  step(Message(runtime::AttemptEnded{older, {2, 1, true, {}, {}}, {}}));
  read_again(younger);
  step(succeed(older));
  EXPECT_EQ(executor.runs.back(), younger);
}

TEST_F(ShardRulesTest, ARepeatedKeyEndsNothing) {
  use(limited("cancel_running").c_str());
  RunId first = created(create_limited("k"));
  step(create_limited("k"));
  step(create_limited("new"), create_limited("new"));
  EXPECT_EQ(told, (Texts{"created", "existed", "created", "existed"}));
  EXPECT_EQ(status(first), RunStatus::cancelled);
  EXPECT_EQ(store.live().size() + store.finished().size(), 2u);
}

TEST_F(ShardRulesTest, ARepeatedKeyIsNotRefused) {
  use(limited("skip").c_str());
  step(create_limited("k"));
  step(create_limited("k"));
  EXPECT_EQ(told, (Texts{"created", "existed"}));
}

TEST_F(ShardRulesTest, ARunGivenUpBeforeItBeganLeavesTheQueue) {
  use(limited("queue", R"(,"on_cancel":[{"id":"h","type":"instant"}])").c_str());
  created(create_limited());
  RunId second = created(create_limited());
  step(cancel(second));
  EXPECT_FALSE(shard.admission().waits({second, engine::Admission::whole_run}));
  EXPECT_EQ(executor.notes.back(), "start 1");  // its hook
}

// ---- sub-flows ----

constexpr const char* subflow = R"({"name":"f","tasks":[{"id":"s","type":"subflow"}]})";

TEST_F(ShardRulesTest, ASubflowEndsWithItsParentsAttempt) {
  use(subflow);
  RunId parent = created(create());
  step(start_child(parent));
  RunId child = *shard.live_run(parent)->state.live_child_of(0);
  step(cancel(parent));
  EXPECT_EQ(status(child), RunStatus::cancelled);
  EXPECT_EQ(store.live().at(child).row.parent, parent);
}

TEST_F(ShardRulesTest, ASubflowThatIsAskedForTwiceStartsOnce) {
  use(subflow);
  RunId parent = created(create());
  step(start_child(parent), start_child(parent));
  step(start_child(parent));
  EXPECT_EQ(store.live().size(), 2u);
}

TEST_F(ShardRulesTest, ASubflowMayNotOutliveTheParentThatMadeRoomForIt) {
  use(R"({"name":"f","concurrency_limit":1,"concurrency_policy":"cancel_running",)"
      R"("tasks":[{"id":"s","type":"subflow"}]})");
  RunId parent = created(create_limited());
  step(start_child(parent, 1, "run"));
  EXPECT_EQ(status(parent), RunStatus::cancelled);
  EXPECT_EQ(store.finished().size(), 1u);
  EXPECT_TRUE(store.live().empty());
}

TEST_F(ShardRulesTest, ASubflowOfAStoppingAttemptMakesNoRoom) {
  use(limited("cancel_running").c_str());
  RunId other = created(create_limited());
  use(subflow);
  RunId parent = created(create());
  step(cancel(parent));
  use(limited("cancel_running").c_str());
  step(start_child(parent, 1, "run"));
  EXPECT_EQ(status(parent), RunStatus::cancelled);
  EXPECT_FALSE(store.live().contains(parent));
  EXPECT_EQ(status(other), RunStatus::running);
}

TEST_F(ShardRulesTest, ARestartFindsASubflowsAttemptsLostBeforeItEndsThem) {
  use(R"({"name":"f","tasks":[{"id":"s","type":"subflow","timeout_seconds":5}],)"
      R"("on_cancel":[{"id":"h","type":"instant"}]})");
  RunId parent = created(create());
  step(start_child(parent));
  RunId child = *shard.live_run(parent)->state.live_child_of(0);
  clock.time += 10s;
  ledger.recovering = true;
  runtime::Shard after(store, executor, clock, model::test_catalog(), {1, 0});
  ASSERT_TRUE(after.recover());
  after.step({});
  EXPECT_EQ(status(child), RunStatus::cancelled);
}

// ---- approvals ----

constexpr const char* approval = R"({"name":"f","tasks":[{"id":"p","type":"approval"}]})";

TEST_F(ShardRulesTest, AnApprovalStandsOpenWhileItsTaskWaits) {
  use(approval);
  RunId id = created(create());
  step(decided(id, {}, true), decided(id, {}, true));
  EXPECT_EQ(store.approvals().size(), 1u);
  take(told);
  step(control(id, engine::ApprovalDecided{0, true, {}, ""}),
       control(id, engine::ApprovalDecided{0, false, {}, ""}));
  EXPECT_TRUE(store.approvals().empty());
  EXPECT_EQ(status(id), RunStatus::succeeded);
}

TEST_F(ShardRulesTest, AnApprovalGoesWithItsRun) {
  use(approval);
  RunId id = created(create());
  step(decided(id, {}, true));
  step(cancel(id));
  EXPECT_TRUE(store.approvals().empty());
}

TEST_F(ShardRulesTest, AnApprovalGoesWithADamagedRun) {
  use(approval);
  RunId id = created(create());
  step(decided(id, {}, true));
  store.damage(id);
  runtime::Shard after(store, executor, clock, model::test_catalog(), {1, 0});
  ASSERT_TRUE(after.recover());
  EXPECT_TRUE(store.approvals().empty());
}

// ---- failures ----

TEST_F(ShardRulesTest, ARunThatATimedOutTaskFailedNamesTheTask) {
  use(R"({"name":"f","tasks":[{"id":"a","type":"instant","timeout_seconds":1}]})");
  RunId id = created(create());
  clock.time += 1s;
  step();
  step(succeed(id));
  EXPECT_EQ(store.finished().at(id).failed_task, "a");
}

// ---- why does it wait? ----

TEST_F(ShardRulesTest, ExplainsAPlaceInTheQueue) {
  use(limited("queue").c_str());
  RunId first = created(create_limited());
  RunId second = created(create_limited());
  runtime::Reason reason = only_reason(second);
  EXPECT_EQ(reason.code, Code::concurrency_limit);
  ASSERT_EQ(reason.holders.size(), 1u);
  EXPECT_EQ(reason.holders[0].run, first);
}

TEST_F(ShardRulesTest, ExplainsASlotWithoutNamingAnotherOrganization) {
  use(process);
  created(create_in("one"));
  RunId second = created(create_in("two"));
  RunId third = created(create_in("one"));
  runtime::Reason reason = only_reason(second);
  EXPECT_EQ(reason.code, Code::slot);
  ASSERT_EQ(reason.holders.size(), 1u);
  EXPECT_TRUE(reason.holders[0].is_other_organization);
  EXPECT_EQ(reason.holders[0].run, RunId{});
  EXPECT_EQ(only_reason(third).holders[0].task_run, "a");
}

TEST_F(ShardRulesTest, ExplainsAPauseAndWhatIsUpstream) {
  use(R"({"name":"f","tasks":[{"id":"a","type":"instant"},)"
      R"({"id":"b","type":"instant","depends_on":["a"]}]})");
  RunId id = created(create());
  runtime::Reason reason = only_reason(id);
  EXPECT_EQ(reason.code, Code::upstream);
  EXPECT_EQ(reason.task_run, "b");
  step(control(id, engine::PauseRequested{}));
  EXPECT_EQ(explain(id).reasons[0].code, Code::paused);
}

TEST_F(ShardRulesTest, ExplainsWhatTasksWaitFor) {
  use(R"({"name":"f","tasks":[{"id":"a","type":"instant","retries":1,"retry_delay_seconds":5}]})");
  RunId id = created(create());
  step(Message(runtime::AttemptEnded{id, {0, 1, false, {}, {"exit_code", ""}}, {}}));
  EXPECT_EQ(only_reason(id).code, Code::retry);
  EXPECT_EQ(only_reason(id).until, clock.time + 5s);

  use(approval);
  id = created(create());
  EXPECT_EQ(only_reason(id).code, Code::evaluating);
  step(decided(id, {}, true));
  EXPECT_EQ(only_reason(id).code, Code::approval);

  use(subflow);
  id = created(create());
  step(start_child(id));
  EXPECT_EQ(only_reason(id).code, Code::subflow);
  step(cancel(id));
  EXPECT_EQ(only_reason(id).code, Code::stopping);

  use(R"({"name":"f","max_parallel":1,"tasks":[{"id":"a","type":"instant"},)"
      R"({"id":"b","type":"instant"}]})");
  id = created(create());
  EXPECT_EQ(only_reason(id).code, Code::max_parallel);

  use(R"({"name":"f","tasks":[{"id":"d","type":"delay"}]})");
  id = created(create());
  engine::Decided wait;
  wait.until = clock.time + 5s;
  clock.time += 1s;
  step(decided(id, wait));
  runtime::Reason reason = only_reason(id);
  EXPECT_EQ(reason.code, Code::delay);
  EXPECT_EQ(reason.task_run, "d");
  EXPECT_EQ(reason.since, clock.time);
  EXPECT_EQ(reason.until, clock.time + 4s);
}

TEST_F(ShardRulesTest, ExplainsATasksOwnLimitAndAPauseInItsQueue) {
  use(R"({"name":"f","tasks":[{"id":"a","type":"instant","concurrency_limit":1}]})");
  engine::Decided key;
  key.keys.concurrency = "key";
  RunId first = created(create());
  step(decided(first, key));
  RunId second = created(create());
  step(decided(second, key));
  runtime::Reason reason = only_reason(second);
  EXPECT_EQ(reason.code, Code::concurrency_limit);
  ASSERT_EQ(reason.holders.size(), 1u);
  EXPECT_EQ(reason.holders[0].run, first);
  EXPECT_EQ(reason.holders[0].task_run, "a");
  step(control(second, engine::PauseRequested{}));
  std::vector<runtime::Reason> reasons = explain(second).reasons;
  ASSERT_EQ(reasons.size(), 2u);  // of the run, and of the task
  EXPECT_EQ(reasons[1].code, Code::paused);
}

TEST_F(ShardRulesTest, ExplainsNoMoreTasksThanItsLimit) {
  auto wide = [](std::size_t waiting) {
    std::string tasks;
    for (std::size_t i = 0; i <= waiting; ++i)
      tasks += fmt::format(R"({}{{"id":"t{}","type":"instant"}})", i == 0 ? "" : ",", i);
    return fmt::format(R"({{"name":"f","max_parallel":1,"tasks":[{}]}})", tasks);
  };
  for (std::size_t more : {0, 1}) {
    use(wide(base::limits::explained_tasks_max + more).c_str());
    runtime::Explanation explanation = explain(created(create()));
    EXPECT_EQ(explanation.reasons.size(), base::limits::explained_tasks_max);
    EXPECT_EQ(explanation.is_cut, more == 1);
  }
}

}  // namespace
}  // namespace sim
