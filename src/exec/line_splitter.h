// Bytes of an output stream to log lines. Holds at most one line of limited length.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exec/process.h"

namespace exec {

class LineSplitter {
 public:
  explicit LineSplitter(bool from_stderr) : from_stderr_(from_stderr) {}

  /// Appends the lines that `bytes` completes to `lines`. A line ends with "\n" or "\r\n"; what is
  /// beyond limits::log_line_bytes_max of one is dropped and the line marked `cut`.
  void feed(std::string_view bytes, base::Timestamp time, std::vector<LogLine>& lines);
  /// The stream has ended: its last line may lack a line end.
  void finish(base::Timestamp time, std::vector<LogLine>& lines);

 private:
  void keep(std::string_view part);
  void end_line(base::Timestamp time, std::vector<LogLine>& lines);

  bool from_stderr_;
  bool dropped_ = false;
  std::string pending_;  // one byte more than the limit fits: it may be the "\r" of the line end
};

}  // namespace exec
