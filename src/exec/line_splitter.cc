#include "exec/line_splitter.h"

#include "base/utf8.h"

namespace exec {

namespace {
using base::limits::log_line_bytes_max;
}

void LineSplitter::feed(std::string_view bytes, base::Timestamp time, std::vector<LogLine>& lines) {
  while (!bytes.empty()) {
    std::size_t newline = bytes.find('\n');
    keep(bytes.substr(0, newline));
    if (newline == std::string_view::npos) return;
    end_line(time, lines);
    bytes.remove_prefix(newline + 1);
  }
}

void LineSplitter::finish(base::Timestamp time, std::vector<LogLine>& lines) {
  if (!pending_.empty()) end_line(time, lines);
}

void LineSplitter::keep(std::string_view part) {
  std::size_t room = log_line_bytes_max + 1 - pending_.size();
  if (part.size() > room) dropped_ = true;
  pending_.append(part.substr(0, room));
}

void LineSplitter::end_line(base::Timestamp time, std::vector<LogLine>& lines) {
  if (!dropped_ && pending_.ends_with('\r')) pending_.pop_back();
  bool cut = pending_.size() > log_line_bytes_max;
  if (cut) pending_.resize(base::utf8_prefix(pending_, log_line_bytes_max).size());
  lines.push_back({time, from_stderr_, cut, std::move(pending_)});
  pending_.clear();
  dropped_ = false;
}

}  // namespace exec
