// Lines of a log as they are stored: framed, then compressed with zstd (docs/formats.md).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace store {

struct LogRecord {
  base::Timestamp time;
  bool from_stderr = false;
  bool cut = false;  // the line was longer than log_line_bytes_max
  std::string text;  // bytes, without a line end
  bool operator==(const LogRecord&) const = default;
};

std::string encode_log_chunk(const std::vector<LogRecord>& lines);
/// Error `internal` for damaged bytes.
base::Result<std::vector<LogRecord>> decode_log_chunk(std::string_view compressed);

}  // namespace store
