#include "auth/authenticator.h"

#include <algorithm>
#include <cmath>

#include "auth/api_keys.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/engine_sql.h"

namespace auth {

namespace limits = base::limits;

namespace {

constexpr std::size_t cached_tokens_max = 10'000;
// Other processes may change roles (offline commands, later other nodes): seen within this time.
constexpr auto cache_time = std::chrono::seconds(10);
constexpr auto key_use_time = std::chrono::seconds(10);

constexpr std::string_view access_token_prefix = "dagy_at_";

base::Error wrong_credentials() {
  return {base::ErrorCode::unauthenticated, "wrong e-mail or password"};
}
base::Error wrong_token() {
  return {base::ErrorCode::unauthenticated, "missing, wrong or expired token"};
}

}  // namespace

int LoginBackoff::wait_seconds(const std::string& ip, const std::string& email,
                               base::SteadyTime now) {
  base::MutexLock lock(mutex_);
  auto found = entries_.find({ip, email});
  if (found == entries_.end() || found->second.blocked_until <= now) return 0;
  return static_cast<int>(
      std::chrono::ceil<std::chrono::seconds>(found->second.blocked_until - now).count());
}

void LoginBackoff::failed(const std::string& ip, const std::string& email, base::SteadyTime now) {
  base::MutexLock lock(mutex_);
  if (entries_.size() >= limits::login_backoff_entries_max && !entries_.contains({ip, email}))
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.last < b.second.last; }));
  Entry& entry = entries_[{ip, email}];
  entry.last = now;
  if (++entry.failures < free_failures) return;
  int doublings = std::min(entry.failures - free_failures, 20);
  auto wait = std::min<std::chrono::seconds>(std::chrono::seconds(1LL << doublings), wait_max);
  entry.blocked_until = now + wait;
}

void LoginBackoff::succeeded(const std::string& ip, const std::string& email) {
  base::MutexLock lock(mutex_);
  entries_.erase({ip, email});
}

Authenticator::Authenticator(store::Store& store, PasswordHasher& hasher, base::Clock& clock,
                             base::Random& random, std::chrono::seconds token_ttl)
    : store_(store), hasher_(hasher), clock_(clock), random_(random), token_ttl_(token_ttl) {}

base::Result<AccessToken> Authenticator::login(const LoginForm& form, store::AuditRow audit) {
  std::string email = normalized_email(form.email);
  if (int wait = backoff_.wait_seconds(form.client_ip, email, clock_.steady()); wait > 0)
    return base::Error{base::ErrorCode::too_many, "too many failed logins", {}, wait};
  std::optional<User> user;
  std::optional<Identity> identity;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    user = TRY(find_user(tx, email));
    if (user) identity = TRY(find_membership(tx, *user, form.org_id));
    return {};
  }));
  bool right = user && hasher_.verify(user->password_hash, form.password);
  if (!user) hasher_.verify_nothing(form.password);
  if (!right || !identity) {
    backoff_.failed(form.client_ip, email, clock_.steady());
    return wrong_credentials();
  }
  backoff_.succeeded(form.client_ip, email);
  AccessToken token{std::string(access_token_prefix) + base::random_token(random_, 32),
                    clock_.now() + token_ttl_};
  audit.org_id = identity->org_id;
  audit.actor_email = identity->email;
  audit.resource_id = identity->user_id;
  TRY(store_.write([&](store::Tx& tx) -> base::Result<> {
    TRY(delete_expired_tokens(tx, clock_.now()));
    TRY(insert_token(tx, base::sha256_hex(token.token), *identity, clock_.now(), token.expires_at));
    return store::insert_audit(tx, audit);
  }));
  return token;
}

std::optional<Identity> Authenticator::cached(const std::string& hash) {
  base::MutexLock lock(mutex_);
  auto found = cache_.find(hash);
  if (found == cache_.end()) return std::nullopt;
  const Cached& entry = found->second;
  if (entry.expires_at > clock_.now() && entry.read_at + cache_time > clock_.steady())
    return entry.identity;
  cache_.erase(found);
  return std::nullopt;
}

base::Result<Identity> Authenticator::authenticate(const std::string& token) {
  if (!token.starts_with("dagy_")) return wrong_token();
  Identity identity = TRY(identify(token));
  if (!identity.api_key_id.empty()) note_use(identity);
  return identity;
}

void Authenticator::note_use(const Identity& identity) {
  {
    base::MutexLock lock(mutex_);
    auto [use, is_new] = key_uses_.try_emplace(identity.api_key_id);
    if (!is_new && use->second + key_use_time > clock_.steady()) return;
    if (key_uses_.size() > cached_tokens_max) key_uses_.clear();
    key_uses_[identity.api_key_id] = clock_.steady();
  }
  // The call goes on without it: it is told to ten seconds, and a full disk is no reason to refuse.
  base::Result<> written = store_.write(
      [&](store::Tx& tx) { return set_last_used(tx, identity.api_key_id, clock_.now()); });
  if (!written)
    base::log_warning("a key's use was not written", {{"error", written.error().message}});
}

base::Result<Identity> Authenticator::identify(const std::string& token) {
  std::string hash = base::sha256_hex(token);
  if (std::optional<Identity> known = cached(hash)) return *known;
  std::uint64_t generation = 0;
  {
    base::MutexLock lock(mutex_);
    generation = generation_;
  }
  std::optional<std::pair<Identity, base::Timestamp>> found;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    found = token.starts_with(access_token_prefix) ? TRY(find_token(tx, hash, clock_.now()))
                                                   : TRY(find_identity(tx, hash, clock_.now()));
    return {};
  }));
  if (!found) return wrong_token();
  base::MutexLock lock(mutex_);
  if (cache_.size() >= cached_tokens_max) cache_.clear();
  if (generation == generation_) cache_[hash] = {found->first, found->second, clock_.steady()};
  return found->first;
}

void Authenticator::forget_tokens() {
  base::MutexLock lock(mutex_);
  cache_.clear();
  ++generation_;
}

base::Result<> Authenticator::change(const store::TxFunction& fn) {
  base::Result<> done = store_.write(fn);
  forget_tokens();
  return done;
}

base::Result<> Authenticator::logout(const std::string& token, const store::AuditRow& audit) {
  return change([&](store::Tx& tx) -> base::Result<> {
    TRY(delete_token(tx, base::sha256_hex(token)));
    return store::insert_audit(tx, audit);
  });
}

base::Result<> Authenticator::change_password(const Identity& identity,
                                              const std::string& client_ip,
                                              const std::string& present, const std::string& wanted,
                                              const store::AuditRow& audit) {
  if (int wait = backoff_.wait_seconds(client_ip, identity.email, clock_.steady()); wait > 0)
    return base::Error{base::ErrorCode::too_many, "too many failed tries", {}, wait};
  std::optional<User> user;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    user = TRY(find_user(tx, identity.email));
    return {};
  }));
  if (!user || !hasher_.verify(user->password_hash, present)) {
    backoff_.failed(client_ip, identity.email, clock_.steady());
    return base::invalid("the present password is wrong",
                         {{"/current_password", "is not the present password"}});
  }
  std::string hash = hasher_.hash(wanted);
  return change([&](store::Tx& tx) -> base::Result<> {
    TRY(set_password(tx, identity.user_id, hash));
    return store::insert_audit(tx, audit);
  });
}

}  // namespace auth
