// Identifiers: "<prefix>_<ULID>" for most things; a run's is a 63-bit integer inside (rest-api.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace base {

/// "flw_01ARZ3NDEKTSV4RRFFQ69G5FAV": a ULID, time-ordered by microsecond, with 70
/// random bits.
std::string new_id(std::string_view prefix, Timestamp now, Random& random);

/// A run's id: 41 bits of milliseconds since 2020, 10 bits of node, 12 bits of counter. Outside it
/// is "run_" and 13 characters of Crockford's base32, which order as the integers do.
enum class RunId : std::int64_t {};

std::string to_string(RunId id);
std::optional<RunId> parse_run_id(std::string_view text);
Timestamp created_at(RunId id);

/// Hands out run ids that only grow, also when the clock steps back. Not thread-safe.
class RunIdSource {
 public:
  explicit RunIdSource(std::uint16_t node) : node_(node & 0x3ff) {}
  RunId next(Timestamp now);
  /// Ids from now on are above `id`; for a restart after the clock was set back.
  void advance_past(RunId id);

 private:
  std::uint16_t node_;
  std::int64_t last_ms_ = 0;
  std::int64_t counter_ = 0;
};

/// "brave-otter-3f2a": a label for people, not unique.
std::string run_slug(RunId id);

/// SHA-256 in lower-case hexadecimal.
std::string sha256_hex(std::string_view bytes);

/// `count` random bytes in URL-safe base64 without padding.
std::string random_token(Random& random, std::size_t count);

}  // namespace base
