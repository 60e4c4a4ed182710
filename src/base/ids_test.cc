#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace base {
namespace {

const Timestamp now = *from_iso8601("2026-07-01T12:00:00.123Z");

TEST(Ids, AreTimeOrderedAndRandom) {
  SeededRandom random(1);
  std::string first = new_id("flw", now, random);
  std::string twin = new_id("flw", now, random);
  std::string later = new_id("flw", now + std::chrono::microseconds(1), random);
  std::string much_later = new_id("flw", now + std::chrono::milliseconds(1), random);
  EXPECT_EQ(first.size(), 4u + 26u);
  EXPECT_TRUE(first.starts_with("flw_01"));
  EXPECT_EQ(first.substr(0, 16), twin.substr(0, 16));
  EXPECT_NE(first, twin);
  EXPECT_LT(std::max(first, twin), later);
  EXPECT_LT(later, much_later);
}

TEST(Ids, OfRunsReadBack) {
  RunIdSource source(7);
  RunId id = source.next(now);
  std::string text = to_string(id);
  EXPECT_EQ(text.size(), 17u);
  EXPECT_EQ(parse_run_id(text), id);
  EXPECT_EQ(created_at(id), now);
  EXPECT_EQ(parse_run_id(to_string(RunId(INT64_MAX))), RunId(INT64_MAX));
  EXPECT_EQ(parse_run_id("run_0000000000000"), RunId(0));
}

TEST(Ids, OfRunsHaveOneForm) {
  std::string text = to_string(RunIdSource(7).next(now));
  for (std::string bad : {text.substr(0, 16), text + "0", "flw" + text.substr(3), std::string(),
                          std::string("run_000000000000I"), std::string("run_000000000000u"),
                          std::string("run_8000000000000"), std::string("run_ZZZZZZZZZZZZZ")})
    EXPECT_EQ(parse_run_id(bad), std::nullopt) << bad;
}

TEST(Ids, OfRunsOnlyGrow) {
  RunIdSource source(1);
  std::set<RunId> seen;
  std::string last;
  for (int i = 0; i < 20'000; ++i) {
    Timestamp at = now - std::chrono::milliseconds(i % 7);  // a clock that steps back
    RunId id = source.next(at);
    EXPECT_TRUE(seen.insert(id).second);
    std::string text = to_string(id);
    EXPECT_LT(last, text);
    last = text;
  }
}

TEST(Ids, OfRunsGrowOverARestart) {
  RunIdSource before(3);
  RunId last{};
  for (int i = 0; i < 5000; ++i) last = before.next(now);
  RunIdSource after(3);
  after.advance_past(last);
  EXPECT_GT(after.next(now - std::chrono::hours(1)), last);
}

TEST(Ids, OfNodesDiffer) {
  EXPECT_NE(RunIdSource(1).next(now), RunIdSource(2).next(now));
}

TEST(Ids, SlugsAreStable) {
  EXPECT_EQ(run_slug(RunId(42)), run_slug(RunId(42)));
  EXPECT_NE(run_slug(RunId(42)), run_slug(RunId(43)));
}

TEST(Ids, HashesAndTokens) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  SeededRandom random(5);
  std::string token = random_token(random, 32);
  EXPECT_EQ(token.size(), 43u);
  EXPECT_EQ(token.find_first_of("+/="), std::string::npos);
  EXPECT_NE(token, random_token(random, 32));
}

}  // namespace
}  // namespace base
