#include "model/cel/time.h"

#include <gtest/gtest.h>

namespace model::cel {
namespace {

std::string timestamp(std::string_view text) {
  auto value = parse_timestamp(text);
  return value ? to_text(*value) : "none";
}

std::string duration(std::string_view text) {
  auto value = parse_duration(text);
  return value ? to_text(*value) : "none";
}

TEST(CelTime, ReadsAndWritesTimestamps) {
  EXPECT_EQ(timestamp("2009-02-13T23:31:30Z"), "2009-02-13T23:31:30Z");
  EXPECT_EQ(timestamp("2009-02-13T23:31:30.120+01:30"), "2009-02-13T22:01:30.120Z");
  EXPECT_EQ(timestamp("1969-12-31T23:59:59.000001Z"), "1969-12-31T23:59:59.000001Z");
  EXPECT_EQ(timestamp("9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z");
  for (const char* text :
       {"", "2009-02-13", "2009-02-30T00:00:00Z", "2009-02-13T24:00:00Z", "2009-02-13T23:31:30",
        "2009-02-13T23:31:30.Z", "2009-02-13T23:31:30Zx", "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"})
    EXPECT_EQ(timestamp(text), "none") << text;
}

TEST(CelTime, ReadsAndWritesDurations) {
  EXPECT_EQ(duration("1h30m"), "5400s");
  EXPECT_EQ(duration("-1.5s"), "-1.500s");
  EXPECT_EQ(duration("1ns"), "0.000000001s");
  EXPECT_EQ(duration(".5m"), "30s");
  EXPECT_EQ(duration("-0"), "0s");
  EXPECT_EQ(duration("9223372036.854775807s"), "9223372036.854775807s");
  EXPECT_EQ(duration("-9223372036.854775808s"), "-9223372036.854775808s");
  for (const char* text : {"", "1", "s", "-", "1x", "1.h2", "9223372036.854775808s", "1s ",
                           "99999999999999999999999999999999999999999999h"})
    EXPECT_EQ(duration(text), "none") << text;
}

TEST(CelTime, KnowsUtcAndOffsets) {
  EXPECT_EQ(parse_offset("UTC"), 0);
  EXPECT_EQ(parse_offset("-02:30"), -150);
  EXPECT_EQ(parse_offset("02:00"), 120);
  for (const char* zone : {"", "Europe/Berlin", "+2", "+25:00", "+02:00x"})
    EXPECT_EQ(parse_offset(zone), std::nullopt) << zone;
}

}  // namespace
}  // namespace model::cel
