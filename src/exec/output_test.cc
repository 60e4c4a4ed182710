// Much output, long lines and bytes that are no text: the host keeps up, and keeps little.
#include <fmt/format.h>

#include <fstream>

#include "exec/test_host.h"

namespace exec {
namespace {

constexpr std::size_t megabyte = 1'000'000;
// Of this process, while it reads. The address sanitizer keeps what is freed for a while.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t growth_bytes_max = 640u << 20;
#else
constexpr std::size_t growth_bytes_max = 32u << 20;
#endif

/// Counts what the lines are, and keeps none.
class Counter {
 public:
  ProcessCallbacks callbacks() {
    ProcessCallbacks callbacks = witness_.callbacks();
    callbacks.on_lines = [this](std::vector<LogLine> taken) {
      for (const LogLine& line : taken) {
        ++lines;
        bytes += line.text.size();
        longest = std::max(longest, line.text.size());
        cut += line.cut;
      }
      if (++calls % 64 == 1) peak = std::max(peak, resident_bytes());
    };
    return callbacks;
  }
  ProcessEnd wait_end() { return witness_.wait_end(); }
  static std::size_t resident_bytes() {
    std::size_t size = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> size >> resident;
    return resident * 4096;
  }

  std::size_t calls = 0, lines = 0, bytes = 0, longest = 0, cut = 0, peak = 0;

 private:
  Witness witness_;
};

class OutputTest : public ProcessTest {
 protected:
  void expect_little_memory(const std::string& script, Counter& counter) {
    std::size_t before = Counter::resident_bytes();
    host_->start(shell(script), counter.callbacks());
    EXPECT_EQ(counter.wait_end().exit_code, 0);
    EXPECT_LT(counter.peak, before + growth_bytes_max);
  }
};

TEST_F(OutputTest, AGigabyteOfLines) {
  Counter counter;
  expect_little_memory(fmt::format("yes {} | head -c {}", std::string(9999, 'x'), 1000 * megabyte),
                       counter);
  EXPECT_EQ(counter.lines, 100'000u);
  EXPECT_EQ(counter.bytes, 1000 * megabyte - counter.lines);
}

TEST_F(OutputTest, ALineOfFiftyMegabytes) {
  Counter counter;
  expect_little_memory(
      fmt::format("head -c {} /dev/zero | tr '\\0' x; echo; echo end", 50 * megabyte), counter);
  EXPECT_EQ(counter.lines, 2u);
  EXPECT_EQ(counter.cut, 1u);
  EXPECT_EQ(counter.longest, base::limits::log_line_bytes_max);
}

TEST_F(OutputTest, BytesThatAreNoText) {
  Counter counter;
  expect_little_memory(fmt::format("head -c {} /dev/urandom", 20 * megabyte), counter);
  EXPECT_GT(counter.lines, 0u);
  EXPECT_LE(counter.longest, base::limits::log_line_bytes_max);
}

}  // namespace
}  // namespace exec
