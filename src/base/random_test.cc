#include "base/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace base {
namespace {

// First outputs of SplitMix64 for seed 0, from its published reference.
TEST(Random, SeededIsSplitMix64) {
  SeededRandom random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(random.next(), 0x06c45d188009454fu);
}

TEST(Random, StaysInItsBounds) {
  SeededRandom random(3);
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_LT(random.below(7), 7u);
    double unit = random.unit();
    EXPECT_TRUE(unit >= 0 && unit < 1);
  }
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, FillsEveryByte) {
  SeededRandom random(3);
  for (std::size_t size : {0u, 1u, 7u, 8u, 9u, 31u}) {
    std::array<std::byte, 32> bytes{};
    std::array<std::byte, 32> touched{};
    for (int round = 0; round < 64; ++round) {
      random.fill(std::span(bytes).first(size));
      for (std::size_t i = 0; i < bytes.size(); ++i) touched[i] |= bytes[i];
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(touched[i] != std::byte{0}, i < size);
  }
}

TEST(Random, SystemDoesNotRepeat) {
  SystemRandom random;
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(random.next_u64()).second);
}

}  // namespace
}  // namespace base
