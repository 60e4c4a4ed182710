// CHECK: an invariant of our own code, on in every build and unreachable from input.
#pragma once

namespace base {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace base

#define CHECK(expression)                               \
  (static_cast<bool>(expression) ? static_cast<void>(0) \
                                 : ::base::check_failed(#expression, __FILE__, __LINE__))
