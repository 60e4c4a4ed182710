// Accounts, login, tokens, back-off and rate limit, on a real store in memory.
#include <gtest/gtest.h>

#include "auth/authenticator.h"
#include "auth/rate_limit.h"
#include "base/ids.h"

namespace auth {
namespace {

class TestClock : public base::Clock {
 public:
  base::Timestamp now() const override { return base::from_us(0) + since_; }
  base::SteadyTime steady() const override { return base::SteadyTime(since_); }
  void advance(base::Duration by) { since_ += by; }

 private:
  base::Duration since_ = std::chrono::hours(24 * 365 * 50);
};

class AuthTest : public testing::Test {
 protected:
  AuthTest() {
    EXPECT_TRUE(store_->write([&](store::Tx& tx) -> base::Result<> {
      TRY(insert_organization(tx, Tenancy::several, "org_a", "A", "a", clock_.now()));
      TRY(insert_organization(tx, Tenancy::several, "org_b", "B", "b", clock_.now()));
      TRY(insert_user(tx, {"usr_1", "Ann@Example.com", hasher_.hash("correct horse"), true, false},
                      clock_.now()));
      TRY(set_role(tx, "org_a", "usr_1", model::Role::owner, clock_.now()));
      return set_role(tx, "org_b", "usr_1", model::Role::viewer,
                      clock_.now() + std::chrono::seconds(1));
    }));
  }
  base::Result<AccessToken> login(const std::string& password,
                                  std::optional<std::string> org = std::nullopt,
                                  const std::string& email = "ann@example.com") {
    store::AuditRow audit;
    audit.audit_id = base::new_id("aud", clock_.now(), random_);
    return authenticator_.login({email, password, std::move(org), "10.0.0.1"}, audit);
  }
  store::AuditRow audit() {
    store::AuditRow row;
    row.audit_id = base::new_id("aud", clock_.now(), random_);
    return row;
  }

  TestClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<store::Store> store_ = *store::open_sqlite({""}, clock_);
  PasswordHasher hasher_;
  Authenticator authenticator_{*store_, hasher_, clock_, random_, std::chrono::hours(1)};
};

TEST_F(AuthTest, APasswordIsVerifiedAgainstItsHashOnly) {
  std::string hash = hasher_.hash("one");
  EXPECT_TRUE(hash.starts_with("$argon2id$"));
  EXPECT_NE(hash, hasher_.hash("one"));
  EXPECT_TRUE(hasher_.verify(hash, "one"));
  EXPECT_FALSE(hasher_.verify(hash, "two"));
  EXPECT_FALSE(hasher_.verify("no hash", "one"));
}

TEST_F(AuthTest, LoginGivesATokenOfTheOldestMembership) {
  auto token = login("correct horse");
  ASSERT_TRUE(token);
  EXPECT_TRUE(token->token.starts_with("dagy_at_"));
  auto identity = authenticator_.authenticate(token->token);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->org_id, "org_a");
  EXPECT_EQ(identity->role, model::Role::owner);
}

TEST_F(AuthTest, TheOrganizationCanBeChosenAmongOnesOwn) {
  auto token = login("correct horse", "org_b");
  ASSERT_TRUE(token);
  EXPECT_EQ(authenticator_.authenticate(token->token)->role, model::Role::viewer);
  EXPECT_EQ(login("correct horse", "org_c").error().code, base::ErrorCode::unauthenticated);
}

TEST_F(AuthTest, AWrongEmailAndAWrongPasswordLookTheSame) {
  base::Error password = login("wrong").error();
  base::Error email = login("wrong", {}, "bob@example.com").error();
  EXPECT_EQ(password.code, base::ErrorCode::unauthenticated);
  EXPECT_EQ(password.message, email.message);
}

TEST_F(AuthTest, ATokenIsStoredAsAHash) {
  auto token = login("correct horse");
  std::string stored;
  ASSERT_TRUE(store_->read([&](store::Tx& tx) -> base::Result<> {
    TRY(tx.run("SELECT token_hash FROM access_tokens", {},
               [&](const store::Row& row) { stored = row.string(0); }));
    return {};
  }));
  EXPECT_EQ(stored, base::sha256_hex(token->token));
}

TEST_F(AuthTest, ATokenEnds) {
  auto token = login("correct horse");
  ASSERT_TRUE(authenticator_.authenticate(token->token));
  clock_.advance(std::chrono::hours(1));
  EXPECT_FALSE(authenticator_.authenticate(token->token));
  auto second = login("correct horse");
  ASSERT_TRUE(authenticator_.authenticate(second->token));
  ASSERT_TRUE(authenticator_.logout(second->token, audit()));
  EXPECT_FALSE(authenticator_.authenticate(second->token));
}

TEST_F(AuthTest, ANewPasswordEndsTokensAndTheOneTimePassword) {
  auto token = login("correct horse");
  Identity identity = *authenticator_.authenticate(token->token);
  EXPECT_EQ(authenticator_.change_password(identity, "ip", "wrong", "a new password", audit())
                .error()
                .code,
            base::ErrorCode::invalid);
  ASSERT_TRUE(
      authenticator_.change_password(identity, "ip", "correct horse", "a new password", audit()));
  EXPECT_FALSE(authenticator_.authenticate(token->token));
  EXPECT_FALSE(login("correct horse"));
  EXPECT_TRUE(login("a new password"));
  ASSERT_TRUE(store_->read([&](store::Tx& tx) -> base::Result<> {
    EXPECT_FALSE(TRY(find_user(tx, "ann@example.com"))->one_time_password);
    return {};
  }));
}

TEST_F(AuthTest, ARoleThatChangedIsSeenAfterTheCacheTime) {
  auto token = login("correct horse");
  ASSERT_TRUE(authenticator_.authenticate(token->token));
  ASSERT_TRUE(store_->write([&](store::Tx& tx) {
    return set_role(tx, "org_a", "usr_1", model::Role::viewer, clock_.now());
  }));
  clock_.advance(std::chrono::seconds(11));
  EXPECT_EQ(authenticator_.authenticate(token->token)->role, model::Role::viewer);
}

TEST_F(AuthTest, WhatIsNoTokenIsRefused) {
  for (const char* token : {"", "dagy_at_", "dagy_at_unknown", "dagy_sk_x", "eyJhbGciOiJub25lIn0"})
    EXPECT_FALSE(authenticator_.authenticate(token)) << token;
}

TEST_F(AuthTest, FailuresMakeOnlyThatPairWait) {
  for (int i = 0; i < LoginBackoff::free_failures; ++i) EXPECT_FALSE(login("wrong"));
  base::Error refused = login("correct horse").error();
  EXPECT_EQ(refused.code, base::ErrorCode::too_many);
  EXPECT_EQ(refused.retry_after_seconds, 1);
  EXPECT_EQ(login("wrong", {}, "bob@example.com").error().code, base::ErrorCode::unauthenticated);
  clock_.advance(std::chrono::seconds(1));
  EXPECT_FALSE(login("wrong"));
  EXPECT_EQ(login("correct horse").error().retry_after_seconds, 2);
  clock_.advance(std::chrono::seconds(2));
  EXPECT_TRUE(login("correct horse"));
  EXPECT_FALSE(login("wrong"));
  EXPECT_TRUE(login("correct horse"));
}

TEST(LoginBackoff, WaitsAreBoundedAndSoAreEntries) {
  LoginBackoff backoff;
  base::SteadyTime now{};
  for (int i = 0; i < 100; ++i) backoff.failed("ip", "a", now);
  EXPECT_EQ(backoff.wait_seconds("ip", "a", now), LoginBackoff::wait_max.count());
  for (std::size_t i = 0; i < base::limits::login_backoff_entries_max; ++i)
    backoff.failed("ip", std::to_string(i), now + std::chrono::seconds(1));
  EXPECT_EQ(backoff.wait_seconds("ip", "a", now), 0);  // the oldest went
}

TEST(RateLimit, ABurstThenTheRate) {
  TestClock clock;
  RateLimit limit(60, 3, clock);
  EXPECT_EQ(limit.take("a").remaining, 2);
  EXPECT_EQ(limit.take("a").remaining, 1);
  EXPECT_EQ(limit.take("a").remaining, 0);
  RateLimit::Verdict refused = limit.take("a");
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.retry_after_seconds, 1);
  EXPECT_TRUE(limit.take("b").allowed);
  clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(limit.take("a").allowed);
  EXPECT_FALSE(limit.take("a").allowed);
}

TEST(RateLimit, ZeroSwitchesItOff) {
  TestClock clock;
  RateLimit limit(0, 1, clock);
  EXPECT_FALSE(limit.is_on());
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(limit.take("a").allowed);
}

TEST(Email, WhatIsOne) {
  for (const char* good : {"a@b", "first.last+tag@example.com"})
    EXPECT_TRUE(email_rule.holds(good));
  for (const char* bad : {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n"})
    EXPECT_FALSE(email_rule.holds(bad)) << bad;
  EXPECT_FALSE(email_rule.holds(std::string(250, 'a') + "@b.com"));
}

}  // namespace
}  // namespace auth
