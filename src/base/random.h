// Randomness as a parameter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::byte> out) = 0;
  std::uint64_t next_u64();
};

/// The kernel's generator: fit for tokens and keys. Thread-safe.
class SystemRandom : public Random {
 public:
  void fill(std::span<std::byte> out) override;
};

/// SplitMix64: the same seed gives the same numbers. For jitter and the simulator, never for
/// secrets.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::byte> out) override;
  std::uint64_t next();
  /// Uniform in [0, bound); 0 when bound is 0.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  /// Uniform in [0, 1).
  double unit() { return double(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace base
