// What an evaluation may still use. A step is about the work of one small operation; bytes are
// those of values that it builds. An exhausted budget ends the evaluation: no `||` absorbs that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "base/result.h"

namespace model::cel {

class Budget {
 public:
  Budget() = default;
  Budget(std::size_t steps, std::size_t bytes) : steps_(steps), bytes_(bytes) {}

  /// Error `too_large` when they are used up.
  base::Result<> use_steps(std::size_t steps) { return use(steps_, steps, "steps"); }
  base::Result<> use_bytes(std::size_t bytes) { return use(bytes_, bytes, "bytes"); }
  /// Steps for going through text, and through the elements of a container.
  base::Result<> use_text(std::size_t bytes) { return use_steps(bytes / 64); }
  base::Result<> use_scan(std::size_t elements) { return use_steps(elements / 8); }

  bool exhausted() const { return exhausted_; }
  std::size_t steps_left() const { return steps_; }
  std::size_t bytes_left() const { return bytes_; }

 private:
  base::Result<> use(std::size_t& left, std::size_t amount, const char* unit);

  std::size_t steps_ = base::limits::expression_steps_max;
  std::size_t bytes_ = base::limits::expression_value_bytes_max;
  bool exhausted_ = false;
};

}  // namespace model::cel
