// Passwords: Argon2id, one computation at a time, since each takes 64 MiB.
#pragma once

#include <string>
#include <string_view>

#include "base/thread_safety.h"

namespace auth {

class PasswordHasher {
 public:
  PasswordHasher();
  /// A self-describing hash, about 70 ms.
  std::string hash(std::string_view password);
  bool verify(const std::string& hash, std::string_view password);
  /// Takes as long as verify() and is never true: for an account that does not exist.
  void verify_nothing(std::string_view password);

 private:
  base::Mutex one_at_a_time_;
};

}  // namespace auth
