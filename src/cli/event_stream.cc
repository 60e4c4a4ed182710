#include "cli/event_stream.h"

#include <fmt/format.h>

#include <charconv>
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

// "12.3": the commit of the run, and the line of that.
using LineSeq = std::pair<std::int64_t, std::int64_t>;

std::optional<LineSeq> parse_seq(std::string_view text) {
  LineSeq seq;
  const char* end = text.data() + text.size();
  auto commit = std::from_chars(text.data(), end, seq.first);
  if (commit.ec != std::errc() || commit.ptr == end || *commit.ptr != '.') return std::nullopt;
  auto line = std::from_chars(commit.ptr + 1, end, seq.second);
  if (line.ec != std::errc() || line.ptr != end) return std::nullopt;
  return seq;
}

class Follower {
 public:
  Follower(ApiClient& client, const std::string& run_id, const RunListener& listener,
           const std::function<bool()>& is_interrupted)
      : client_(client),
        run_target_("/runs/" + percent_encoded(run_id)),
        listener_(listener),
        is_interrupted_(is_interrupted) {}

  base::Result<FollowEnd> follow() {
    for (int failures = 0;; std::this_thread::sleep_for(limits::reconnect_pause)) {
      bool heard_before = !last_id_.empty();
      has_news_ = has_gap_ = false;
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
    return client_.stream(run_target_ + "/events?after=0.0", std::move(headers),
                          [&](std::string_view bytes) {
                            parser.feed(bytes, [&](const ServerEvent& event) { hear(event); });
                            if (listener_.rest && !bytes.empty()) listener_.rest();
                            return !has_ended_ && !has_gap_ && !is_interrupted_();
                          });
  }

  void hear(const ServerEvent& event) {
    if (has_gap_) return;
    has_news_ = true;
    // A reset stands for more than the server can tell again, lines too; those it still has.
    if (event.type == "reset" && !read_missed_lines()) {
      has_gap_ = true;
      return;
    }
    if (!event.id.empty()) last_id_ = event.id;
    auto document = base::JsonDocument::parse(event.data);
    if (document && event.type == "log") {
      hear_line((*document)->root());
    } else if (document) {
      listener_.hear(event.type, (*document)->root());
    }
    has_ended_ = has_ended_ || event.type == "end";
  }

  void hear_line(base::JsonView line) {
    std::optional<base::JsonView> text = line.find("seq");
    std::optional<LineSeq> seq =
        text && text->is_string() ? parse_seq(text->string()) : std::nullopt;
    if (!seq || *seq <= last_line_) return;
    last_line_ = *seq;
    listener_.hear("log", line);
  }

  // By a connection of its own, while the stream is open.
  base::Result<> read_missed_lines() {
    ApiClient client = TRY(ApiClient::create(client_.server()));
    for (bool more = true; more;) {
      Document page = TRY(client.call(
          "GET", fmt::format("{}/logs?after={}.{}&limit={}", run_target_, last_line_.first,
                             last_line_.second, limits::page_items_max)));
      std::optional<base::JsonView> items = page->root().find("items");
      std::optional<base::JsonView> next = page->root().find("next_token");
      for (base::JsonView line : items->elements()) hear_line(line);
      more = items->size() > 0 && next && !next->is_null();
    }
    return {};
  }

  ApiClient& client_;
  const std::string run_target_;
  const RunListener& listener_;
  const std::function<bool()>& is_interrupted_;
  std::string last_id_;
  bool has_news_ = false;
  bool has_gap_ = false;  // the connection is given up before what could not be read
  bool has_ended_ = false;
  LineSeq last_line_{0, 0};
};

}  // namespace

base::Result<FollowEnd> follow_run(ApiClient& client, const std::string& run_id,
                                   const RunListener& listener,
                                   const std::function<bool()>& is_interrupted) {
  return Follower(client, run_id, listener, is_interrupted).follow();
}

}  // namespace cli
