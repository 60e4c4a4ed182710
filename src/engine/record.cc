#include "engine/record.h"

#include "base/fields.h"
#include "base/json_writer.h"
#include "base/limits.h"

namespace engine {

namespace {

using base::JsonView;
using base::JsonWriter;

void append_time(JsonWriter& out, std::string_view name, std::optional<base::Timestamp> time) {
  if (time) out.member(name, base::to_us(*time));
}

void append_task(JsonWriter& out, const TaskRecord& task) {
  out.begin_object().member("id", task.id);
  if (task.name != task.id) out.member("name", task.name);
  if (task.map_index >= 0) out.member("map_index", task.map_index);
  out.member("status", base::name_of(task.status)).member("attempt", task.attempt);
  append_time(out, "started_at", task.started_at);
  append_time(out, "finished_at", task.finished_at);
  if (task.output) {
    out.key("output");
    append_value(out, *task.output);
  }
  if (task.failure) {
    out.key("failure");
    append_failure(out, task.failure);
  }
  if (task.child) out.member("child", to_string(*task.child));
  if (!task.earlier.empty()) {
    out.key("earlier").begin_array();
    for (const EarlierAttempt& attempt : task.earlier) {
      out.begin_object().member("attempt", attempt.attempt).member("epoch", attempt.epoch);
      append_time(out, "started_at", attempt.started_at);
      append_time(out, "ended_at", attempt.ended_at);
      out.key("failure");
      append_failure(out, attempt.failure);
      out.end_object();
    }
    out.end_array();
  }
  out.end_object();
}

std::optional<base::Timestamp> read_time(JsonView from, std::string_view name) {
  auto view = from.find(name);
  auto us = view ? view->integer() : std::nullopt;
  return us ? std::optional(base::from_us(*us)) : std::nullopt;
}

int read_integer(JsonView from, std::string_view name) {
  auto view = from.find(name);
  return view ? static_cast<int>(view->integer().value_or(0)) : 0;
}

std::string read_text(JsonView from, std::string_view name) {
  auto view = from.find(name);
  return view && view->is_string() ? view->string() : "";
}

std::optional<Failure> read_failure(JsonView from) {
  auto view = from.find("failure");
  if (!view || !view->is_object()) return std::nullopt;
  return Failure{read_text(*view, "kind"), read_text(*view, "message")};
}

base::Result<TaskRecord> read_task(JsonView from) {
  TaskRecord task;
  task.id = read_text(from, "id");
  task.name = from.find("name") ? read_text(from, "name") : task.id;
  if (from.find("map_index")) task.map_index = read_integer(from, "map_index");
  task.child = base::parse_run_id(read_text(from, "child"));
  auto status = base::enum_from_name<TaskStatus>(read_text(from, "status"));
  if (task.id.empty() || !status) return base::internal_error("damaged task record");
  task.status = *status;
  task.attempt = read_integer(from, "attempt");
  task.started_at = read_time(from, "started_at");
  task.finished_at = read_time(from, "finished_at");
  if (auto output = from.find("output")) task.output = TRY(parse_value(*output));
  task.failure = read_failure(from);
  auto earlier = from.find("earlier");
  if (!earlier || !earlier->is_array()) return task;
  for (JsonView attempt : earlier->elements())
    task.earlier.push_back({read_integer(attempt, "attempt"), read_integer(attempt, "epoch"),
                            read_time(attempt, "started_at").value_or(base::Timestamp{}),
                            read_time(attempt, "ended_at").value_or(base::Timestamp{}),
                            read_failure(attempt).value_or(Failure{})});
  return task;
}

}  // namespace

TaskRecord record_of(const RunState& state, TaskIndex i) {
  const TaskState& t = state.tasks[i];
  const model::PlannedTask& planned = state.planned(i);
  TaskRecord task;
  task.id = planned.id;
  task.name = planned.name;
  task.map_index = t.map_index;
  task.status = t.status;
  task.attempt = t.attempt;
  task.started_at = t.started_at;
  task.finished_at = t.finished_at;
  if (t.status == TaskStatus::succeeded) task.output = t.output;
  task.failure = t.failure;
  task.earlier = t.earlier;
  task.child = state.child_of(i);
  return task;
}

std::vector<std::string> encode_tasks(const RunState& state) {
  std::vector<std::string> chunks(1, "[");
  std::size_t rows = 0;
  std::string text;
  for (TaskIndex i = 0; i < state.tasks.size(); ++i) {
    text.clear();
    JsonWriter out(text);
    append_task(out, record_of(state, i));
    bool full = rows == base::limits::task_chunk_rows_max ||
                chunks.back().size() + text.size() > base::limits::task_chunk_bytes_max;
    if (full && rows > 0) {
      chunks.back() += ']';
      chunks.push_back("[");
      rows = 0;
    }
    if (rows++ > 0) chunks.back() += ',';
    chunks.back() += text;
  }
  chunks.back() += ']';
  return chunks;
}

base::Result<> decode_tasks(std::string chunk, std::vector<TaskRecord>& records) {
  auto document = base::JsonDocument::parse(std::move(chunk));
  if (!document || !(*document)->root().is_array())
    return base::internal_error("damaged task records");
  for (JsonView element : (*document)->root().elements())
    records.push_back(TRY(read_task(element)));
  return {};
}

}  // namespace engine
