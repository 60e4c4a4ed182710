#include "engine/admission.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

Admission::Place place(int run, model::TaskIndex task = 0) {
  return {base::RunId(run), task};
}
Admission::Request asks(int run, const std::string& org = "org") {
  return {.place = place(run), .org_id = org};
}

TEST(Admission, GrantsInOrderOfAgeWithinTheSlots) {
  Admission admission(2);
  for (int i = 1; i <= 4; ++i) admission.request(asks(5 - i));
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
  admission.request(asks(1));
  admission.request(asks(2));
  admission.release(place(1));
  admission.request(asks(1));
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

}  // namespace
}  // namespace engine
