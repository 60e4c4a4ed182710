#include "base/clock.h"

#include <gtest/gtest.h>

namespace base {
namespace {

std::string again(std::string_view text) {
  auto time = from_iso8601(text);
  return time ? to_iso8601(*time) : "nothing";
}

TEST(Clock, WritesIso8601) {
  EXPECT_EQ(to_iso8601(from_us(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso8601(from_us(1'999'999)), "1970-01-01T00:00:01.999Z");
  EXPECT_EQ(to_iso8601(from_us(-1)), "1969-12-31T23:59:59.999Z");
}

TEST(Clock, ReadsIso8601) {
  EXPECT_EQ(again("2026-11-22T12:53:59.123Z"), "2026-11-22T12:53:59.123Z");
  EXPECT_EQ(again("2026-11-22T12:53:59Z"), "2026-11-22T12:53:59.000Z");
  EXPECT_EQ(again("2026-11-22T12:53:59.5+02:30"), "2026-11-22T10:23:59.500Z");
  EXPECT_EQ(again("2026-12-31T23:30:00-01:00"), "2027-01-01T00:30:00.000Z");
  EXPECT_EQ(again("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(to_us(*from_iso8601("1970-01-01T00:00:00.000001Z")), 1);
}

TEST(Clock, RefusesOtherForms) {
  for (const char* text : {"",
                           "2026-11-22",
                           "2026-11-22T12:53:59",
                           "2026-11-22 12:53:59Z",
                           "2026-02-29T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-32T00:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:60Z",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00.1234567Z",
                           "2026-01-01T00:00:00+0100",
                           "2026-01-01T00:00:00+15:00",
                           "2026-01-01T00:00:00+01:60",
                           "2026-01-01T00:00:00Zx",
                           "26-01-01T00:00:00Z",
                           "2026-1-01T00:00:00Z",
                           "2026-01-01t00:00:00z",
                           "+026-01-01T00:00:00Z"})
    EXPECT_EQ(again(text), "nothing") << text;
}

}  // namespace
}  // namespace base
