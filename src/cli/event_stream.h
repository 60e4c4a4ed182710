// Server-sent events (HTML standard, 9.2.6), and following a run by them across lost connections.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/api_client.h"

namespace cli {

struct ServerEvent {
  std::string id;  // the last one that was sent, of this event or an earlier one
  std::string type;
  std::string data;
};

/// Takes the text of a stream in pieces of any size.
class EventParser {
 public:
  void feed(std::string_view bytes, const std::function<void(const ServerEvent&)>& sink);

 private:
  void take_line(std::string_view line, const std::function<void(const ServerEvent&)>& sink);

  std::string line_;
  bool after_cr_ = false;
  bool has_data_ = false;
  ServerEvent event_;
};

/// Hears of a run.
struct RunListener {
  std::function<void(std::string_view type, base::JsonView data)>
      hear;                              // task, run, log, reset, end
  std::function<void()> rest = nullptr;  // all that has come so far is told
};

enum class FollowEnd { run_ended, interrupted };

/// Tells of the run from its beginning, each line of its log once, until it has ended, or
/// `is_interrupted` says so. A lost connection is made again and goes on where it broke; the error
/// of the last try after reconnects_max of them in a row, or of the first one at once.
base::Result<FollowEnd> follow_run(ApiClient& client, const std::string& run_id,
                                   const RunListener& listener,
                                   const std::function<bool()>& is_interrupted);

}  // namespace cli
