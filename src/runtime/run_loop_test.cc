// The thread around a shard.
#include "runtime/run_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "store/store.h"

namespace runtime {
namespace {

class NoExecutor : public Executor {
 public:
  void start(AttemptStart) override {}
  void stop(base::RunId, model::TaskIndex, int) override {}
  void compute(ComputeStart) override {}
  void collect(ChildEnd) override {}
  void finished(base::RunId) override {}
};

// The drain begins while the loop is between two waits, as it may at any stop: nobody is there to
// be notified.
TEST(RunLoop, ADrainThatTheLoopDidNotWaitForIsNotMissed) {
  base::SystemClock clock;
  auto store = *store::open_sqlite({""}, clock);
  NoExecutor executor;
  Shard shard(*store, executor, clock, {}, {});
  RunLoop loop(shard, clock);
  loop.drain(std::chrono::milliseconds(0));
  loop.start();
  base::SteadyTime before = clock.steady();
  loop.drain(std::chrono::minutes(1));
  EXPECT_LT(clock.steady() - before, std::chrono::seconds(30));
}

TEST(RunLoop, IsResponsiveBeforeItsThreadHasBegun) {
  base::SystemClock clock;
  auto store = *store::open_sqlite({""}, clock);
  NoExecutor executor;
  Shard shard(*store, executor, clock, {}, {});
  RunLoop loop(shard, clock);
  EXPECT_TRUE(loop.is_responsive());
}

// Goes as the machine's does, but for leaps.
class LeapingClock : public base::SystemClock {
 public:
  base::SteadyTime steady() const override {
    return base::SystemClock::steady() + base::Duration(leapt_us);
  }
  void leap(base::Duration by) { leapt_us += by.count(); }

 private:
  std::atomic<std::int64_t> leapt_us = 0;
};

// Its first commit waits until it is let go.
class AwayStore : public store::EngineStore {
 public:
  explicit AwayStore(store::EngineStore& real) : real_(real) {}
  base::Result<store::CommitResult> commit(const store::EngineBatch& batch) override {
    if (std::exchange(away_, false)) {
      reached.release();
      back.acquire();
    }
    return real_.commit(batch);
  }
  base::Result<std::vector<base::RunId>> live_runs() override { return real_.live_runs(); }
  base::Result<std::optional<base::RunId>> last_run() override { return real_.last_run(); }
  base::Result<std::optional<store::StoredRun>> load_run(base::RunId id) override {
    return real_.load_run(id);
  }
  base::Result<std::optional<store::Duplicate>> find_key(
      const store::IdempotencyRow& key) override {
    return real_.find_key(key);
  }
  base::Result<store::StoredSpec> load_spec(const std::string& org_id, const std::string& flow_name,
                                            const std::string& flow_version) override {
    return real_.load_spec(org_id, flow_name, flow_version);
  }

  std::binary_semaphore reached{0};
  std::binary_semaphore back{0};

 private:
  store::EngineStore& real_;
  bool away_ = true;  // the loop's alone
};

class StuckLoop : public testing::Test {
 protected:
  CreateRun new_run(std::promise<base::Result<Created>>& reply) {
    CreateRun create;
    create.run.org_id = "org_a";
    create.run.flow_name = "f";
    create.run.flow_version = "1";
    create.run.parameters = model::Value::inline_json("{}");
    create.plan = plan_;
    create.reply = [&reply](base::Result<Created> result) { reply.set_value(std::move(result)); };
    return create;
  }

  LeapingClock clock_;
  std::unique_ptr<store::Store> sqlite_ = *store::open_sqlite({""}, clock_);
  AwayStore store_{*sqlite_};
  NoExecutor executor_;
  std::shared_ptr<const model::Plan> plan_ = std::make_shared<model::Plan>();
};

// Nobody waits for a database that is away, but those whose commit is under way.
TEST_F(StuckLoop, CommandsAreRefused) {
  Shard shard(store_, executor_, clock_, {}, {});
  RunLoop loop(shard, clock_);
  loop.start();
  std::promise<base::Result<Created>> under_way, waiting, late;
  loop.command(new_run(under_way));
  store_.reached.acquire();
  loop.command(new_run(waiting));
  EXPECT_TRUE(loop.is_responsive());
  clock_.leap(base::limits::command_wait_max);
  EXPECT_FALSE(loop.is_responsive());
  loop.command(new_run(late));
  for (auto* refused : {&waiting, &late}) {
    auto result = refused->get_future().get();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::ErrorCode::unavailable);
    EXPECT_NE(result.error().message.find("database"), std::string::npos);
  }
  store_.back.release();
  EXPECT_TRUE(under_way.get_future().get());
  // It takes commands again as soon as the step of that commit is over.
  base::Result<Created> accepted = base::unavailable("");
  while (!accepted) {
    std::promise<base::Result<Created>> later;
    loop.command(new_run(later));
    accepted = later.get_future().get();
    if (!accepted) std::this_thread::yield();
  }
}

}  // namespace
}  // namespace runtime
