#include "engine/fingerprint.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

TEST(Fingerprint, IsTheSameForWhatDiffersByParticulars) {
  auto of = [](const char* message) { return fingerprint("flow", "task", {"exit_code", message}); };
  EXPECT_EQ(of("order 17 is missing"), of("order 42 is missing"));
  EXPECT_EQ(of("no run_0P1GWY0500400"), of("no run_0P1GWY3JM0400"));
  EXPECT_EQ(of("host 10.0.0.1:8080 refused"), of("host 10.0.0.2:9090 refused"));
  EXPECT_NE(of("order is missing"), of("order is late"));
}

TEST(Fingerprint, TellsFlowTaskAndKindApart) {
  std::string one = fingerprint("f", "t", {"k", "m"});
  EXPECT_EQ(one.size(), 16u);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, fingerprint("g", "t", {"k", "m"}));
  EXPECT_NE(one, fingerprint("f", "u", {"k", "m"}));
  EXPECT_NE(one, fingerprint("f", "t", {"l", "m"}));
  EXPECT_NE(fingerprint("ab", "c", {"k", "m"}), fingerprint("a", "bc", {"k", "m"}));
}

TEST(Fingerprint, LeavesWordsAlone) {
  EXPECT_EQ(without_particulars("utf8 of http2 at line 7, id 3f2504e0-4f89"),
            "utf8 of http2 at line #, id #");
  EXPECT_EQ(without_particulars(""), "");
  EXPECT_EQ(without_particulars("'x' failed: y"), "'x' failed: y");
}

TEST(Fingerprint, ComparesTheBeginningOnly) {
  std::string begin(1024, 'x');
  EXPECT_EQ(without_particulars(begin + "a"), without_particulars(begin + "b"));
}

}  // namespace
}  // namespace engine
