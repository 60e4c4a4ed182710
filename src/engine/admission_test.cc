#include "engine/admission.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

Admission::Place place(int run, model::TaskIndex task = 0) {
  return {base::RunId(run), task};
}
Admission::Request asks(int run, int since = 0) {
  return {.place = place(run), .org_id = "org", .since = base::from_us(since)};
}

TEST(Admission, GrantsInOrderOfAgeWithinTheSlots) {
  Admission admission(2);
  for (int i = 1; i <= 4; ++i) admission.request(asks(5 - i, i));
  EXPECT_EQ(admission.grant(), place(4));
  EXPECT_EQ(admission.grant(), place(3));
  EXPECT_EQ(admission.grant(), std::nullopt);
  admission.release(place(4));
  EXPECT_EQ(admission.grant(), place(2));
  EXPECT_EQ(admission.grant(), std::nullopt);
  EXPECT_EQ(admission.holders(), 2u);
  EXPECT_EQ(admission.waiting(), 1u);
}

TEST(Admission, AskingTwiceGivesOneSlot) {
  Admission admission(4);
  admission.request(asks(1));
  admission.request(asks(1));
  EXPECT_EQ(admission.grant(), place(1));
  admission.request(asks(1));
  EXPECT_EQ(admission.grant(), std::nullopt);
  EXPECT_TRUE(admission.holds(place(1)));
}

TEST(Admission, WithdrawnPlacesAreNotGranted) {
  Admission admission(4);
  admission.request(asks(1));
  admission.request(asks(2));
  admission.release(place(1));
  EXPECT_EQ(admission.waiting(), 1u);
  EXPECT_EQ(admission.grant(), place(2));
  EXPECT_EQ(admission.grant(), std::nullopt);
}

TEST(Admission, AskingAnewIsANewAge) {
  Admission admission(1);
  admission.request(asks(1, 1));
  admission.request(asks(2, 2));
  admission.release(place(1));
  admission.request(asks(1, 3));
  EXPECT_EQ(admission.grant(), place(2));
  admission.release(place(2));
  EXPECT_EQ(admission.grant(), place(1));
}

TEST(Admission, HeldSlotsCountEvenAboveTheLimit) {
  Admission admission(1);
  admission.hold(asks(1));
  admission.hold(asks(2));
  admission.request(asks(3));
  admission.release(place(1));
  EXPECT_EQ(admission.grant(), std::nullopt);
  admission.release(place(2));
  EXPECT_EQ(admission.grant(), place(3));
}

TEST(Admission, ReleasingNothingIsHarmless) {
  Admission admission(1);
  admission.release(place(9));
  EXPECT_EQ(admission.grant(), std::nullopt);
}

TEST(Admission, ZeroSlotsGrantNothing) {
  Admission admission(0);
  admission.request(asks(1));
  EXPECT_EQ(admission.grant(), std::nullopt);
}

// ---- keys ----

Admission::Request asks_for_key(int run, std::uint32_t limit, bool needs_slot = false) {
  Admission::Request request = asks(run, run);
  request.needs_slot = needs_slot;
  request.key = "k";
  request.limit = limit;
  return request;
}

TEST(AdmissionKeys, HaveOneHolderMoreWhenOneGoes) {
  Admission admission(0);
  for (int run = 1; run <= 4; ++run) admission.request(asks_for_key(run, 2));
  EXPECT_EQ(admission.grant(), place(1));
  EXPECT_EQ(admission.grant(), place(2));
  EXPECT_EQ(admission.grant(), std::nullopt);
  EXPECT_EQ(admission.key_holders("k"), (std::vector{place(1), place(2)}));
  EXPECT_EQ(admission.key_places("k").size(), 4u);
  admission.release(place(1));
  EXPECT_EQ(admission.grant(), place(3));
  EXPECT_EQ(admission.grant(), std::nullopt);
}

TEST(AdmissionKeys, AskersMayHaveDifferentLimits) {
  Admission admission(0);
  admission.hold(asks_for_key(1, 1));
  admission.request(asks_for_key(2, 1));
  admission.request(asks_for_key(3, 2));
  EXPECT_EQ(admission.grant(), place(3));
  EXPECT_EQ(admission.grant(), std::nullopt);
}

// Who needs a slot and finds none does not keep the key from who needs none.
TEST(AdmissionKeys, AreNotHeldUpByAMissingSlot) {
  Admission admission(0);
  admission.hold(asks_for_key(1, 1));
  admission.request(asks_for_key(2, 1, /*needs_slot=*/true));
  admission.request(asks_for_key(3, 1));
  admission.release(place(1));
  EXPECT_EQ(admission.grant(), place(3));
}

TEST(AdmissionKeys, GoToTheHigherPriorityAmongThoseWhoWait) {
  Admission admission(1);
  admission.request(asks_for_key(1, 1, true));
  admission.hold(asks_for_key(2, 1, true));
  Admission::Request urgent = asks_for_key(3, 1, true);
  urgent.run_priority = 1;
  admission.request(urgent);
  admission.release(place(2));
  EXPECT_EQ(admission.grant(), place(3));
}

// ---- order ----

TEST(AdmissionOrder, IsPriorityOfTheRunThenOfTheTaskThenAge) {
  Admission admission(1);
  auto ask = [&](int run, int run_priority, int task_priority) {
    Admission::Request request = asks(run, run);
    request.run_priority = run_priority;
    request.task_priority = task_priority;
    admission.request(request);
  };
  ask(1, 0, 5);
  ask(2, 1, 0);
  ask(3, 1, 2);
  ask(4, 1, 2);
  for (int run : {3, 4, 2, 1}) {
    EXPECT_EQ(admission.grant(), place(run));
    admission.release(place(run));
  }
}

TEST(AdmissionOrder, IsFairBetweenOrganizations) {
  Admission admission(3);
  for (int run = 1; run <= 5; ++run) admission.request(asks(run, run));
  for (int run = 6; run <= 7; ++run) {
    Admission::Request other = asks(run, run);
    other.org_id = "other";
    admission.request(other);
  }
  EXPECT_EQ(admission.grant(), place(1));
  EXPECT_EQ(admission.grant(), place(6));
  EXPECT_EQ(admission.grant(), place(2));  // both hold one; its last grant is longer ago
  EXPECT_EQ(admission.grant(), std::nullopt);
}

}  // namespace
}  // namespace engine
