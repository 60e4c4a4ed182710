// GET /runs/{run_id}/logs: the lines of a run in the order they were stored.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "api/cursor.h"
#include "api/log_view.h"
#include "api/paging.h"
#include "api/routes.h"
#include "api/run_view.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct LogQuery {
  std::optional<std::string> task_run_id;
  std::optional<std::string> after;
  int limit = int(base::limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = LogQuery;
    static const Fields fields(
        "LogQuery", {field<&S::task_run_id>("task_run_id", "lines of this task run only"),
                     field<&S::after>("after", "lines after this seq only").length(1, 64),
                     limit_field<&S::limit>(), next_token_field<&S::next_token>()});
    return fields;
  }
};

struct LogPage {
  std::vector<LogLineView> items;
  std::optional<std::string> next_token;
  std::string log_stream;
  static const Fields& fields() {
    using S = LogPage;
    static const Fields fields(
        "LogPage",
        {field<&S::items>("items", "oldest first").required(),
         field<&S::next_token>("next_token", "null when no further line is stored yet").required(),
         field<&S::log_stream>("log_stream", "<run_slug>/<version>/<run_id>").required()});
    return fields;
  }
};

base::Result<store::LogPosition> start_of(const Call& call, const LogQuery& query) {
  std::optional<std::string> cursor = TRY(read_cursor(call, query.next_token));
  if (!cursor && !query.after) return store::LogPosition{};
  std::optional<store::LogPosition> position = parse_position(cursor ? *cursor : *query.after);
  if (!position)
    return base::Error{base::ErrorCode::malformed,
                       "after must be the seq of a line, as 12.3",
                       {{"/after", "must be the seq of a line, as 12.3"}}};
  return *position;
}

// The task run that the query names; `not_found` when the run has none of that id.
base::Result<std::optional<model::TaskIndex>> task_of(const LogQuery& query, base::RunId run,
                                                      const std::vector<std::string>& names) {
  if (!query.task_run_id) return std::optional<model::TaskIndex>();
  for (model::TaskIndex i = 0; i < names.size(); ++i)
    if (*query.task_run_id == to_string(run) + ":" + names[i]) return std::optional(i);
  return base::not_found(fmt::format("no task run {}", *query.task_run_id));
}

base::Result<Reply> read_logs(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  auto query = TRY(call.read_query<LogQuery>());
  store::LogPosition after = TRY(start_of(call, query));
  auto limit = static_cast<std::size_t>(query.limit);
  store::RunRow row;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_run_row(tx, call.identity->org_id, id));
    return {};
  }));
  std::vector<std::string> names = TRY(task_run_names(call, row));
  std::optional<model::TaskIndex> task = TRY(task_of(query, id, names));
  std::vector<store::LogLineRow> lines;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    lines = TRY(store::read_log(tx, id, after, task, limit + 1));
    return {};
  }));
  bool is_new = std::any_of(lines.begin(), lines.end(), [&](const store::LogLineRow& line) {
    return line.task >= names.size();
  });
  if (is_new) names = TRY(task_run_names(call, row));  // elements came to be in between
  LogPage page;
  page.next_token =
      cut_page(call, lines, limit, [](const auto& last) { return print(last.position); });
  for (const store::LogLineRow& line : lines)
    page.items.push_back(
        log_line_view(line.position, id, names.at(line.task), line.attempt, line.record));
  page.log_stream =
      fmt::format("{}/{}/{}", base::run_slug(id), row.run.flow_version, to_string(id));
  return json_reply(200, page);
}

}  // namespace

const Fields& LogLineView::fields() {
  using S = LogLineView;
  static const Fields fields(
      "LogLine",
      {field<&S::seq>("seq", "place in the run's log, for after").required(),
       field<&S::timestamp>("timestamp", "").required(),
       field<&S::level>("level", "info: standard output, error: standard error").required(),
       field<&S::message>("message", "").required(),
       field<&S::task_run_id>("task_run_id", "").required(),
       field<&S::attempt>("attempt", "").required(),
       field<&S::truncated>("truncated", "the line was longer than 64 KiB").required()});
  return fields;
}

std::string print(store::LogPosition position) {
  return fmt::format("{}.{}", position.seq, position.line);
}

std::optional<store::LogPosition> parse_position(std::string_view text) {
  store::LogPosition position;
  const char* end = text.data() + text.size();
  auto seq = std::from_chars(text.data(), end, position.seq);
  if (seq.ec != std::errc() || seq.ptr == end || *seq.ptr != '.') return std::nullopt;
  auto line = std::from_chars(seq.ptr + 1, end, position.line);
  if (line.ec != std::errc() || line.ptr != end || position.seq < 0 || position.line < 0)
    return std::nullopt;
  return position;
}

LogLineView log_line_view(store::LogPosition position, base::RunId run, const std::string& name,
                          int attempt, const store::LogRecord& record) {
  LogLineView view;
  view.seq = print(position);
  view.timestamp = record.time;
  view.level = record.from_stderr ? "error" : "info";
  view.message = record.text;
  std::replace(view.message.begin(), view.message.end(), '\0', '?');  // no U+0000 in any answer
  view.task_run_id = to_string(run) + ":" + name;
  view.attempt = attempt;
  view.truncated = record.cut;
  return view;
}

// Names of the task runs by their numbers. Elements of mapped tasks are known by the run alone.
base::Result<std::vector<std::string>> task_run_names(const Call& call, const store::RunRow& row) {
  const store::LiveRunRow& run = row.run;
  auto plan = TRY(call.services.plans.get(run.org_id, run.flow_name, run.flow_version));
  std::vector<std::string> names;
  bool is_mapped = std::any_of(plan->tasks.begin(), plan->tasks.end(),
                               [](const model::PlannedTask& task) { return task.map_over; });
  if (!is_mapped) {
    for (const model::PlannedTask& task : plan->tasks) names.push_back(task.id);
    return names;
  }
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, run.org_id, run.id));
    return {};
  }));
  for (const engine::TaskRecord& task : TRY(task_records(call, detail)))
    names.push_back(task_run_name(task));
  return names;
}

Route run_logs_route() {
  return {.method = Method::get,
          .path = "/runs/{run_id}/logs",
          .access = Access::need(model::Permission::runs_read),
          .name = "getRunLogs",
          .summary = "Lines that the run's tasks wrote",
          .handler = read_logs,
          .query = LogQuery::fields,
          .answers = {{200, "A page of lines", LogPage::fields}, {404, "No such run or task run"}}};
}

}  // namespace api
