#include "exec/line_splitter.h"

#include <gtest/gtest.h>

namespace exec {
namespace {

using base::limits::log_line_bytes_max;

std::vector<LogLine> split(const std::vector<std::string>& parts) {
  LineSplitter splitter(true);
  std::vector<LogLine> lines;
  for (const std::string& part : parts) splitter.feed(part, base::from_us(7), lines);
  splitter.finish(base::from_us(8), lines);
  return lines;
}

std::vector<std::string> texts(const std::vector<std::string>& parts) {
  std::vector<std::string> out;
  for (LogLine& line : split(parts)) out.push_back(std::move(line.text));
  return out;
}

using Texts = std::vector<std::string>;

TEST(LineSplitter, EndsLinesAtLineEndsOnly) {
  EXPECT_EQ(texts({"one\ntwo\n\nfour\n"}), (Texts{"one", "two", "", "four"}));
  EXPECT_EQ(texts({"o", "ne\nt", "wo", "\n"}), (Texts{"one", "two"}));
  EXPECT_EQ(texts({}), Texts{});
}

TEST(LineSplitter, DeliversALastLineWithoutEnd) {
  auto lines = split({"one\ntwo"});
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].time, base::from_us(7));
  EXPECT_EQ(lines[1].text, "two");
  EXPECT_EQ(lines[1].time, base::from_us(8));
  EXPECT_TRUE(lines[1].from_stderr);
}

TEST(LineSplitter, TakesCarriageReturnAsPartOfTheEnd) {
  EXPECT_EQ(texts({"one\r\ntw\ro\r", "\n"}), (Texts{"one", "tw\ro"}));
}

TEST(LineSplitter, PassesBytesThatAreNoText) {
  std::string bytes("\xff\x00\xfe", 3);
  EXPECT_EQ(texts({bytes + "\n"}), Texts{bytes});
}

TEST(LineSplitter, CutsLongLinesAndGoesOn) {
  std::string exact(log_line_bytes_max, 'x');
  for (const char* end : {"\n", "\r\n", ""}) {
    auto lines = split({exact + end});
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].text.size(), log_line_bytes_max);
    EXPECT_FALSE(lines[0].cut);
  }
  for (std::size_t more : {1u, 2u, 200'000u}) {
    auto lines = split({exact, std::string(more, 'y') + "\r\nnext\n"});
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].text, exact);
    EXPECT_TRUE(lines[0].cut);
    EXPECT_EQ(lines[1].text, "next");
    EXPECT_FALSE(lines[1].cut);
  }
}

TEST(LineSplitter, DoesNotCutInsideACharacter) {
  auto lines = split({std::string(log_line_bytes_max - 1, 'x') + "\xc3\xa9\n"});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].cut);
  EXPECT_EQ(lines[0].text, std::string(log_line_bytes_max - 1, 'x'));
}

}  // namespace
}  // namespace exec
