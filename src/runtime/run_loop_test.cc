// The thread around a shard.
#include "runtime/run_loop.h"

#include <gtest/gtest.h>

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
  EXPECT_TRUE(loop.is_responsive(std::chrono::seconds(5)));
}

}  // namespace
}  // namespace runtime
