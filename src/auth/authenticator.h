// Turns credentials into identities: login, access tokens, back-off after failures. Thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "auth/accounts.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/thread_safety.h"
#include "store/engine_rows.h"
#include "store/store.h"

namespace auth {

struct AccessToken {
  std::string token;  // "dagy_at_…"
  base::Timestamp expires_at;
};

struct LoginForm {
  std::string email;
  std::string password;
  std::optional<std::string> org_id;
  std::string client_ip;
};

/// Slows guessing: after some failures of one (IP, e-mail) each further try must wait, twice as
/// long every time, up to a limit. Thread-safe; the entries are bounded, the oldest go first.
class LoginBackoff {
 public:
  static constexpr int free_failures = 5;
  static constexpr std::chrono::seconds wait_max{900};

  /// Seconds to wait before this pair may try again; 0 now.
  int wait_seconds(const std::string& ip, const std::string& email, base::SteadyTime now);
  void failed(const std::string& ip, const std::string& email, base::SteadyTime now);
  void succeeded(const std::string& ip, const std::string& email);

 private:
  struct Entry {
    int failures = 0;
    base::SteadyTime blocked_until{};
    base::SteadyTime last{};
  };
  base::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entry> entries_ GUARDED_BY(mutex_);
};

class Authenticator {
 public:
  Authenticator(store::Store& store, PasswordHasher& hasher, base::Clock& clock,
                base::Random& random, std::chrono::seconds token_ttl);

  /// `unauthenticated` for a wrong e-mail, password or organization alike, after the same time;
  /// `too_many` while the pair must wait. `audit` is written with the token.
  base::Result<AccessToken> login(const LoginForm& form, store::AuditRow audit);
  /// `token` as sent: an access token, or an API key. `unauthenticated`. Nothing is written but
  /// when a key was used, every ten seconds at most.
  base::Result<Identity> authenticate(const std::string& token);
  /// Writes what changes who a credential stands for.
  base::Result<> change(const store::TxFunction& fn);
  base::Result<> logout(const std::string& token, const store::AuditRow& audit);
  /// `invalid` when the present password is wrong. Ends every access token of the user.
  base::Result<> change_password(const Identity& identity, const std::string& client_ip,
                                 const std::string& present, const std::string& wanted,
                                 const store::AuditRow& audit);

 private:
  struct Cached {
    Identity identity;
    base::Timestamp expires_at;
    base::SteadyTime read_at;
  };
  std::optional<Identity> cached(const std::string& hash);
  void forget_tokens();
  base::Result<Identity> identify(const std::string& token);
  void note_use(const Identity& identity);

  store::Store& store_;
  PasswordHasher& hasher_;
  base::Clock& clock_;
  base::Random& random_;
  std::chrono::seconds token_ttl_;
  LoginBackoff backoff_;
  base::Mutex mutex_;
  std::unordered_map<std::string, Cached> cache_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, base::SteadyTime> key_uses_ GUARDED_BY(mutex_);  // written
  std::uint64_t generation_ GUARDED_BY(mutex_) =
      0;  // of the cache; a read begun earlier is not kept
};

}  // namespace auth
