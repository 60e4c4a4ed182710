// GET /runs/{run_id}/events: a run as server-sent events. Format and resuming: docs/formats.md.
#include <fmt/format.h>

#include <map>

#include "api/log_view.h"
#include "api/run_control.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread_safety.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;
using runtime::RunNews;

namespace {

constexpr std::string_view end_id = "end";

struct RunEvent {
  std::string run_id;
  model::RunStatus status{};
  std::optional<FailureView> error;
  base::Timestamp at;
  static const Fields& fields() {
    using S = RunEvent;
    static const Fields fields(
        "RunEvent",
        {field<&S::run_id>("run_id", "").required(), field<&S::status>("status", "").required(),
         field<&S::error>("error", "").required(), field<&S::at>("at", "").required()});
    return fields;
  }
};

// One event of text/event-stream; `data` may have lines of its own.
void append_event(std::string& out, std::string_view type, std::string_view id,
                  std::string_view data) {
  if (!id.empty()) out.append("id: ").append(id).append("\n");
  out.append("event: ").append(type).append("\ndata: ");
  for (char c : data) {
    if (c == '\n') {
      out.append("\ndata: ");
    } else if (c != '\r') {
      out += c;
    }
  }
  out.append("\n\n");
}

std::string text_of(const RunNews& news) {
  RunEvent event{to_string(news.run), news.status, {}, news.at};
  if (news.failure) event.error = FailureView{news.failure->kind, news.failure->message};
  return base::write_struct(event);
}

// States come before lines, and an id stands where everything up to it has been sent: at the last
// state of a commit without lines, and at each line.
void append_news(std::string& out, const RunNews& news) {
  std::string id = news.lines.empty() ? print({news.seq, 0}) : "";
  std::size_t states = news.tasks.size() + news.status_changed;
  for (const engine::TaskRecord& task : news.tasks)
    append_event(out, "task", --states == 0 ? id : "",
                 base::write_struct(task_view(news.run, task, limits::answer_value_bytes_max)));
  if (news.status_changed) append_event(out, "run", id, text_of(news));
  store::LogPosition position{news.seq, 0};
  for (const runtime::NewsLine& line : news.lines) {
    LogLineView view = log_line_view(position, news.run, line.task_run, line.attempt, line.record);
    append_event(out, "log", view.seq, base::write_struct(view));
    ++position.line;
  }
  if (news.is_finished) append_event(out, "end", end_id, text_of(news));
}

struct Past {
  std::string text;
  std::int64_t seq = 0;
  bool is_finished = false;
};

// One client that follows a run. What is committed while its past is being read waits.
class Follower {
 public:
  explicit Follower(Answer answer) : answer_(std::move(answer)) {}

  bool is_gone() {
    base::MutexLock lock(mutex_);
    return is_over_ || answer_.client_gone();
  }

  bool hear(const RunNews& news) {
    base::MutexLock lock(mutex_);
    if (is_over_ || answer_.client_gone()) return false;
    std::string text;
    append_news(text, news);
    if (!stream_) {
      waiting_[news.seq] += text;
      is_finished_ = is_finished_ || news.is_finished;
      return !news.is_finished;
    }
    send(news.seq, text, news.is_finished);
    return !is_over_;
  }

  /// Begins the answer with the past, up to the commit `seq`; then goes on with what came since.
  void begin(const Past& past) {
    base::MutexLock lock(mutex_);
    net::Response head{.content_type = "text/event-stream",
                       .headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
                       .body = "retry: 2000\n\n" + past.text};
    stream_ = answer_.stream(std::move(head), ":\n\n");
    last_seq_ = past.seq;
    if (past.is_finished) return finish();
    for (auto& [at, waiting] : waiting_) send(at, waiting, false);
    waiting_.clear();
    if (is_finished_) finish();
  }
  void refuse(const base::Error& error) {
    base::MutexLock lock(mutex_);
    is_over_ = true;
    answer_.send_error(error);
  }

 private:
  void send(std::int64_t seq, const std::string& text, bool is_finished) REQUIRES(mutex_) {
    if (seq > last_seq_ || is_finished) stream_->send(text);
    last_seq_ = std::max(last_seq_, seq);
    if (is_finished) finish();
  }
  void finish() REQUIRES(mutex_) {
    is_over_ = true;
    stream_->end();
  }

  const Answer answer_;
  base::Mutex mutex_;
  std::optional<net::Stream> stream_ GUARDED_BY(mutex_);  // once the past has been read
  bool is_finished_ GUARDED_BY(mutex_) = false;           // while the past was being read
  bool is_over_ GUARDED_BY(mutex_) = false;
  std::int64_t last_seq_ GUARDED_BY(mutex_) = 0;
  std::map<std::int64_t, std::string> waiting_ GUARDED_BY(mutex_);
};

/// What the client has seen already.
struct Seen {
  std::optional<store::LogPosition> position;  // nothing: it begins, or its id is unknown
  bool is_end = false;
};

// Reads what the client has missed.
class PastReader {
 public:
  PastReader(const Call& call, base::RunId id) : call_(call), id_(id) {}

  base::Result<Past> read(const Seen& seen) {
    seen_ = seen;
    TRY(call_.services.store.read([&](store::Tx& tx) -> base::Result<> {
      history_ = TRY(store::read_history(tx, call_.identity->org_id, id_));
      lines_.clear();
      if (seen_.position)
        lines_ = TRY(store::read_log(tx, id_, *seen_.position, std::nullopt,
                                     limits::stream_replay_lines_max + 1));
      return {};
    }));
    bool is_known = seen_.position && lines_.size() <= limits::stream_replay_lines_max &&
                    (history_.row.finished_at || seen_.position->seq <= history_.last.seq);
    Past past{{}, history_.last.seq, history_.row.finished_at.has_value()};
    if (is_known && past.is_finished) TRY(append_lines(past.text));
    if (is_known && !past.is_finished) TRY(append_replay(past.text));
    if (!is_known || past.is_finished) TRY(append_reset(past));
    return past;
  }

 private:
  base::Result<> append_lines(std::string& out) {
    std::vector<std::string> names = TRY(task_run_names(call_, history_.row));
    for (const store::LogLineRow& line : lines_) {
      LogLineView view =
          log_line_view(line.position, id_, names.at(line.task), line.attempt, line.record);
      append_event(out, "log", view.seq, base::write_struct(view));
    }
    return {};
  }

  // The commits of a live run that the client has not seen, as it would have heard of them.
  base::Result<> append_replay(std::string& out) {
    const store::LiveRunRow& run = history_.row.run;
    auto plan = TRY(call_.services.plans.get(run.org_id, run.flow_name, run.flow_version));
    engine::RunState state(id_, plan);
    auto line = lines_.begin();
    auto take_lines = [&](RunNews& news) {
      for (; line != lines_.end() && line->position.seq <= news.seq; ++line)
        news.lines.push_back({name_of(state, line->task), line->attempt, line->record});
    };
    for (const store::JournalRow& row : history_.journal) {
      engine::FactRow facts = TRY(engine::parse_facts(row.facts));
      append_lines_before(out, row.seq, state, line);
      for (const engine::Fact& fact : facts.facts) TRY(engine::fold(state, fact, facts.at));
      if (row.seq <= seen_.position->seq) continue;
      RunNews news;
      news.run = id_;
      news.seq = row.seq;
      news.at = facts.at;
      news.status = state.status;
      news.failure = state.failure;
      news.status_changed = runtime::changes_status(facts.facts);
      for (model::TaskIndex task : runtime::changed_tasks(facts.facts, state))
        news.tasks.push_back(engine::record_of(state, task));
      take_lines(news);
      append_news(out, news);
    }
    append_lines_before(out, INT64_MAX, state, line);
    return {};
  }

  // Lines of commits without facts, and the rest of one that was seen in part.
  void append_lines_before(std::string& out, std::int64_t seq, const engine::RunState& state,
                           std::vector<store::LogLineRow>::iterator& line) {
    for (; line != lines_.end() && line->position.seq < seq; ++line) {
      LogLineView view = log_line_view(line->position, id_, name_of(state, line->task),
                                       line->attempt, line->record);
      append_event(out, "log", view.seq, base::write_struct(view));
    }
  }

  static std::string name_of(const engine::RunState& state, model::TaskIndex task) {
    return task < state.tasks.size() ? task_run_name(engine::record_of(state, task)) : "";
  }

  base::Result<> append_reset(Past& past) {
    store::RunDetail detail;
    TRY(call_.services.store.read([&](store::Tx& tx) -> base::Result<> {
      history_ = TRY(store::read_history(tx, call_.identity->org_id, id_));
      detail = TRY(store::find_run(tx, call_.identity->org_id, id_));
      return {};
    }));
    past.seq = history_.last.seq;
    past.is_finished = detail.row.finished_at.has_value();
    RunView view = TRY(view_of(call_, detail));
    append_event(past.text, "reset", past.is_finished ? end_id : print(history_.last),
                 base::write_struct(view));
    if (!past.is_finished) return {};
    RunEvent event{view.run_id, view.status, view.error, *view.finished_at};
    append_event(past.text, "end", end_id, base::write_struct(event));
    return {};
  }

  const Call& call_;
  const base::RunId id_;
  Seen seen_;
  store::RunHistory history_;
  std::vector<store::LogLineRow> lines_;
};

struct EventQuery {
  std::optional<std::string> after;
  static const Fields& fields() {
    static const Fields fields(
        "RunEventQuery",
        {field<&EventQuery::after>("after",
                                   "as the header Last-Event-ID, which counts before it; "
                                   "0.0: from the beginning")
             .length(1, 64)});
    return fields;
  }
};

Seen seen_by(const Call& call, const EventQuery& query) {
  std::string id(call.request.header("last-event-id"));
  if (id.empty()) id = query.after.value_or("");
  return {parse_position(id), id == end_id};
}

void follow(const Call& call, base::RunId id, const Seen& seen, const Answer& answer) {
  auto follower = std::make_shared<Follower>(answer);
  bool listens = call.services.feed.subscribe(
      id, {[follower](const RunNews& news) { return follower->hear(news); },
           [follower] { return follower->is_gone(); }});
  if (!listens)
    return follower->refuse(base::unavailable("too many clients follow runs, try again"));
  base::Result<Past> past = PastReader(call, id).read(seen);
  if (past) return follower->begin(*past);
  base::log_error("a run's past cannot be read", {{"error", past.error().message}});
  follower->refuse(past.error());
}

base::Result<Reply> follow_run(const Call& call) {
  auto query = TRY(call.read_query<EventQuery>());
  base::RunId id = TRY(own_run(call));
  Seen seen = seen_by(call, query);
  if (seen.is_end) return empty_reply();  // there is no more: an EventSource stops asking
  return Reply{{},
               [services = call.services, route = &call.route, identity = call.identity, id,
                seen](Answer answer) {
                 net::Request request;
                 Call again{services, *route, request, {}, identity, nullptr, nullptr};
                 follow(again, id, seen, answer);
               }};
}

}  // namespace

void add_event_routes(std::vector<Route>& routes) {
  routes.push_back({.method = Method::get,
                    .path = "/runs/{run_id}/events",
                    .access = Access::need(model::Permission::runs_read),
                    .name = "followRun",
                    .summary = "Follow a run: server-sent events task, run, log, reset and end",
                    .handler = follow_run,
                    .query = EventQuery::fields,
                    .answers = {{200, "The stream", nullptr, "text/event-stream"},
                                {204, "The client has seen the end"},
                                {404, "No such run"}}});
}

}  // namespace api
