// The N-th call to the store fails, for every N of a scripted flow and every beginning of one that
// was broken off.
#include <fmt/format.h>

#include "base/log.h"
#include "fault_store/failing_store.h"
#include "fault_store/scripted_server.h"

namespace faults {
namespace {

class StoreCallTest : public testing::Test {
 protected:
  StoreCallTest() { base::set_log_level(base::LogLevel::off); }

  // Starts servers on one database until one has followed the script; returns the failed calls.
  int serve(const std::string& path, int first, int length, Told& told) {
    int failed = 0;
    for (int start = 0; start < 3 && !told.ended; ++start) {
      store::StillClock clock;
      auto sqlite = store::open_sqlite({path}, clock);
      EXPECT_TRUE(sqlite);
      FailingStore store(**sqlite, first, first + length - 1);
      base::Result<> played = ScriptedServer(store, clock, told).play();
      failed += store.failed();
      if (!played) first -= length;  // recovery was refused: the next start gets further
    }
    return failed;
  }

  void fail_everywhere(int length) {
    bool failed = true;
    int n = 0;
    while (failed && !HasFailure()) {
      SCOPED_TRACE(fmt::format("{} calls from {} on", length, ++n));
      base::TemporaryDirectory directory("/dev/shm");
      std::string path = directory.path() + "/dagy.db";
      Told told;
      failed = serve(path, n, length, told) > 0;
      EXPECT_TRUE(told.ended);
      check_promises(path, told);
    }
    EXPECT_GT(n, 12);
  }
};

TEST_F(StoreCallTest, AnyCallFailsOnce) {
  fail_everywhere(1);
}
TEST_F(StoreCallTest, CallsFailForAWhile) {
  fail_everywhere(6);
}

}  // namespace
}  // namespace faults
