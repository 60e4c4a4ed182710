#include "cli/event_stream.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

std::string parsed(std::string_view text, std::size_t piece) {
  EventParser parser;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece)
    parser.feed(text.substr(at, piece), [&](const ServerEvent& event) {
      out += '[' + event.id + '|' + event.type + '|' + event.data + ']';
    });
  return out;
}

TEST(EventParser, AnyPiecesAndLineEnds) {
  constexpr std::string_view text =
      ":\n\nretry: 2000\n\nid: 1.0\nevent: task\ndata: {\"a\":\ndata: 1}\n\n"
      "event: log\r\ndata:x\r\n\r\nid\rdata: y\r\rdata: cut";
  for (std::size_t piece : {1, 2, 3, 7, 1000})
    EXPECT_EQ(parsed(text, piece), "[1.0|task|{\"a\":\n1}][1.0|log|x][||y]") << piece;
}

}  // namespace
}  // namespace cli
