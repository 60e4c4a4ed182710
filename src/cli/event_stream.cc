#include "cli/event_stream.h"

#include <thread>

#include "base/limits.h"

namespace cli {

namespace limits = base::limits;

void EventParser::feed(std::string_view bytes,
                       const std::function<void(const ServerEvent&)>& sink) {
  for (char c : bytes) {
    bool is_rest_of_crlf = c == '\n' && after_cr_;
    after_cr_ = c == '\r';
    if (is_rest_of_crlf) continue;
    if (c != '\n' && c != '\r') {
      line_ += c;
      continue;
    }
    take_line(line_, sink);
    line_.clear();
  }
}

void EventParser::take_line(std::string_view line,
                            const std::function<void(const ServerEvent&)>& sink) {
  if (line.empty()) {
    if (has_data_) sink(event_);
    event_ = {event_.id, "", ""};
    has_data_ = false;
    return;
  }
  std::size_t colon = std::min(line.find(':'), line.size());
  std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "id") event_.id = value;
  if (field == "event") event_.type = value;
  if (field != "data") return;
  if (has_data_) event_.data += '\n';
  event_.data += value;
  has_data_ = true;
}

namespace {

bool is_lost_connection(const base::Error& error) {
  return error.code == base::ErrorCode::unavailable || error.code == base::ErrorCode::timeout ||
         error.code == base::ErrorCode::upstream;
}

class Follower {
 public:
  Follower(ApiClient& client, const std::string& run_id, const RunListener& listener,
           const std::function<bool()>& is_interrupted)
      : client_(client),
        target_("/runs/" + percent_encoded(run_id) + "/events?after=0.0"),
        listener_(listener),
        is_interrupted_(is_interrupted) {}

  base::Result<FollowEnd> follow() {
    for (int failures = 0;; std::this_thread::sleep_for(limits::reconnect_pause)) {
      bool heard_before = !last_id_.empty();
      has_news_ = false;
      base::Result<int> status = connect();
      if (is_interrupted_()) return FollowEnd::interrupted;
      if (has_ended_ || (status && *status == 204)) return FollowEnd::run_ended;
      failures = has_news_ ? 0 : failures + 1;
      if (!status && !is_lost_connection(status.error())) return status.error();
      bool is_first = !heard_before && !has_news_;
      if (!status && (is_first || failures > limits::reconnects_max)) return status.error();
    }
  }

 private:
  base::Result<int> connect() {
    EventParser parser;
    net::Headers headers = {{"Accept", "text/event-stream"}};
    if (!last_id_.empty()) headers.push_back({"Last-Event-ID", last_id_});
    return client_.stream(target_, std::move(headers), [&](std::string_view bytes) {
      parser.feed(bytes, [&](const ServerEvent& event) { hear(event); });
      return !has_ended_ && !is_interrupted_();
    });
  }

  void hear(const ServerEvent& event) {
    has_news_ = true;
    if (!event.id.empty()) last_id_ = event.id;
    auto document = base::JsonDocument::parse(event.data);
    if (document) listener_(event.type, (*document)->root());
    has_ended_ = has_ended_ || event.type == "end";
  }

  ApiClient& client_;
  const std::string target_;
  const RunListener& listener_;
  const std::function<bool()>& is_interrupted_;
  std::string last_id_;
  bool has_news_ = false;
  bool has_ended_ = false;
};

}  // namespace

base::Result<FollowEnd> follow_run(ApiClient& client, const std::string& run_id,
                                   const RunListener& listener,
                                   const std::function<bool()>& is_interrupted) {
  return Follower(client, run_id, listener, is_interrupted).follow();
}

}  // namespace cli
