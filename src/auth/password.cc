#include "auth/password.h"

#include <sodium.h>

#include "base/check.h"

namespace auth {

PasswordHasher::PasswordHasher() {
  CHECK(sodium_init() >= 0);
}

std::string PasswordHasher::hash(std::string_view password) {
  base::MutexLock lock(one_at_a_time_);
  std::string out(crypto_pwhash_STRBYTES, '\0');
  int failed = crypto_pwhash_str_alg(
      out.data(), password.data(), password.size(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
      crypto_pwhash_MEMLIMIT_INTERACTIVE, crypto_pwhash_ALG_ARGON2ID13);
  CHECK(failed == 0);  // only for lack of memory
  out.resize(out.find('\0'));
  return out;
}

bool PasswordHasher::verify(const std::string& hash, std::string_view password) {
  base::MutexLock lock(one_at_a_time_);
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

void PasswordHasher::verify_nothing(std::string_view password) {
  // Of a random password, with the parameters of hash().
  static const std::string nobody =
      "$argon2id$v=19$m=65536,t=2,p=1$HAfGD39jczLAp1iX9ajLFg$qWaN8gSfXY9QbPi1Xzb8t/"
      "QZIKCRUzBpK0OATKx+T+8";
  (void)verify(nobody, password);
}

}  // namespace auth
