#include "base/random.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace base {

std::uint64_t Random::next_u64() {
  std::uint64_t value = 0;
  fill(std::as_writable_bytes(std::span(&value, 1)));
  return value;
}

void SystemRandom::fill(std::span<std::byte> out) {
  randombytes_buf(out.data(), out.size());
}

std::uint64_t SeededRandom::next() {
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void SeededRandom::fill(std::span<std::byte> out) {
  while (!out.empty()) {
    std::uint64_t value = next();
    std::size_t n = std::min(out.size(), sizeof value);
    std::memcpy(out.data(), &value, n);
    out = out.subspan(n);
  }
}

}  // namespace base
