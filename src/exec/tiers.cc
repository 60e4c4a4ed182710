#include "exec/tiers.h"

#include <utility>

namespace exec {

Tier tier_of(model::ExecutionMode mode) {
  constexpr std::size_t mebibyte = 1u << 20;
  switch (mode) {
    case model::ExecutionMode::nano:
      return {256 * mebibyte, 125};
    case model::ExecutionMode::micro:
      return {512 * mebibyte, 250};
    case model::ExecutionMode::small:
      return {1024 * mebibyte, 500};
    case model::ExecutionMode::medium:
      return {2048 * mebibyte, 1000};
    case model::ExecutionMode::large:
      return {4096 * mebibyte, 2000};
    case model::ExecutionMode::xlarge:
      return {12288 * mebibyte, 4000};
  }
  std::unreachable();
}

}  // namespace exec
