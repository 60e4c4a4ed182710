// Runs made from earlier ones, and reruns and cancels of many at a time.
#include "api/reruns.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/limits.h"
#include "runtime/new_run.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

// ---- one rerun ----

struct RerunAccepted {
  std::string run_id;
  std::string run_slug;
  model::RunStatus status = model::RunStatus::queued;
  std::string rerun_of;
  static const Fields& fields() {
    using S = RerunAccepted;
    static const Fields fields("RerunAccepted",
                               {field<&S::run_id>("run_id", "the new run").required(),
                                field<&S::run_slug>("run_slug", "a label for people").required(),
                                field<&S::status>("status", "").required(),
                                field<&S::rerun_of>("rerun_of", "").required()});
    return fields;
  }
};

// The tasks that are to run again because of `from`, by their places in the plan.
base::Result<std::vector<bool>> tasks_from(const std::string& from, const model::Plan& plan) {
  std::vector<bool> again(plan.tasks.size(), from == "start");
  if (from == "start" || from == "failed") return again;
  auto found = std::find_if(plan.tasks.begin(), plan.tasks.end(),
                            [&](const auto& task) { return task.id == from && !task.hook; });
  if (found == plan.tasks.end())
    return base::invalid(fmt::format("no task '{}'", from),
                         {{"/from", "must be start, failed or the id of a task"}});
  again[std::size_t(found - plan.tasks.begin())] = true;
  return again;
}

// Outputs that stay: of tasks that succeeded and whose parents all stay, or were skipped by choice.
std::vector<std::pair<model::TaskIndex, model::Value>> reused_outputs(
    const model::Plan& plan, const std::vector<engine::TaskRecord>& records,
    const std::vector<bool>& again) {
  enum class Fate { unknown, stays, skipped, runs };
  std::vector<Fate> fates(plan.tasks.size(), Fate::unknown);
  auto fate_of = [&](model::TaskIndex i) {
    if (again[i]) return Fate::runs;
    if (records[i].status == model::TaskStatus::skipped) return Fate::skipped;
    return records[i].status == model::TaskStatus::succeeded ? Fate::stays : Fate::runs;
  };
  std::vector<std::pair<model::TaskIndex, model::Value>> reused;
  std::vector<std::uint32_t> open(plan.tasks.size());
  std::vector<model::TaskIndex> order;
  for (model::TaskIndex i = 0; i < plan.tasks.size(); ++i) {
    open[i] = static_cast<std::uint32_t>(plan.tasks[i].parents.size());
    if (open[i] == 0 && !plan.tasks[i].hook) order.push_back(i);
  }
  for (std::size_t at = 0; at < order.size(); ++at) {
    model::TaskIndex i = order[at];
    const auto& parents = plan.tasks[i].parents;
    bool follows = std::any_of(parents.begin(), parents.end(), [&](model::TaskIndex parent) {
      return fates[parent] == Fate::runs;
    });
    fates[i] = follows ? Fate::runs : fate_of(i);
    if (fates[i] == Fate::stays) reused.emplace_back(i, records[i].output.value_or(model::Value{}));
    for (const model::PlannedChild& child : plan.tasks[i].children)
      if (--open[child.task] == 0) order.push_back(child.task);
  }
  return reused;
}

// The parameters of the earlier run with those that change.
base::Result<std::string> merge_parameters(const Call& call, const model::Value& earlier,
                                           const base::RawJson& changed) {
  std::string text = TRY(runtime::text_of(earlier, call.services.objects));
  return runtime::overlay_parameters(text, changed.text);
}

base::Result<runtime::CreateRun> make_rerun(const Call& call, base::RunId id,
                                            const RerunRequest& request) {
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, call.identity->org_id, id));
    return {};
  }));
  const store::LiveRunRow& earlier = detail.row.run;
  if (!detail.row.finished_at)
    return base::conflict("the run has not ended: only a finished run can be repeated");
  auto plan =
      TRY(call.services.plans.runnable(earlier.org_id, earlier.flow_name, earlier.flow_version));
  std::vector<bool> again = TRY(tasks_from(request.from, *plan));
  runtime::CreateRun message;
  message.run.org_id = earlier.org_id;
  message.run.trigger_type = "rerun";
  message.run.created_by = call.identity->email;
  message.run.priority = earlier.priority;
  message.run.rerun_of = id;
  message.run.deployment_name = earlier.deployment_name;
  message.run.environment_id = earlier.environment_id;
  message.run.execution_mode = earlier.execution_mode;
  std::string parameters = TRY(merge_parameters(call, earlier.parameters, request.parameters));
  auto given = TRY(base::JsonDocument::parse(std::move(parameters)));
  TRY(runtime::prepare_run(message.run, *plan, given->root(), call.services.objects));
  if (request.from != "start") {
    std::vector<engine::TaskRecord> records = TRY(task_records(call, detail));
    if (records.size() < plan->tasks.size())
      return base::conflict("the run's tasks cannot be read: only a rerun from start is possible");
    message.reused = reused_outputs(*plan, records, again);
  }
  message.plan = std::move(plan);
  return message;
}

base::Result<Reply> rerun(const Call& call) {
  auto request = TRY(call.read_body<RerunRequest>());
  base::RunId id = TRY(own_run(call));
  if (!call.services.store.accepts_work())
    return base::unavailable("the server's disk is nearly full: no new runs");
  auto message = std::make_shared<runtime::CreateRun>(TRY(make_rerun(call, id, request)));
  return Reply{{}, [services = call.services, message, id](Answer answer) {
                 message->reply = [answer, id](base::Result<runtime::Created> created) {
                   if (!created) return answer.send_error(created.error());
                   RerunAccepted accepted{to_string(created->run), base::run_slug(created->run),
                                          model::RunStatus::queued, to_string(id)};
                   answer.send(json_reply(202, accepted).response);
                 };
                 services.loop.command(std::move(*message));
               }};
}

// ---- many at a time ----

// Collects answers that come one by one and sends them all when the last has come.
class BulkAnswer {
 public:
  BulkAnswer(Answer answer, std::vector<BulkItem> items, bool has_more, std::size_t open)
      : answer_(std::move(answer)), open_(open) {
    result_.items = std::move(items);
    result_.has_more = has_more;
  }
  // Each index is answered once; the vector does not change its size meanwhile.
  BulkItem& item(std::size_t i) { return result_.items[i]; }
  void one_done() {
    if (--open_ > 0) return;
    for (const BulkItem& item : result_.items) result_.done += !item.error;
    answer_.send(json_reply(200, result_).response);
  }

 private:
  Answer answer_;
  BulkResult result_;
  std::atomic<std::size_t> open_;
};

// The messages to send, each with the place of its run among the items.
template <class Message>
using BulkMessages = std::vector<std::pair<std::size_t, Message>>;

// Sends all messages and answers when the last outcome has come; `note` takes what a good one says.
template <class Outcome, class Message, class Note>
Reply send_all(const Call& call, BulkMessages<Message> messages, std::vector<BulkItem> items,
               bool has_more, Note note) {
  if (messages.empty()) return json_reply(200, BulkResult{0, std::move(items), has_more});
  auto to_send = std::make_shared<BulkMessages<Message>>(std::move(messages));
  return Reply{{}, [services = call.services, to_send, items, has_more, note](Answer answer) {
                 auto bulk = std::make_shared<BulkAnswer>(std::move(answer), items, has_more,
                                                          to_send->size());
                 for (auto& [i, message] : *to_send) {
                   message.reply = [bulk, note, i = i](Outcome outcome) {
                     if (!outcome) bulk->item(i).error = outcome.error().message;
                     note(bulk->item(i), outcome);
                     bulk->one_done();
                   };
                   services.loop.command(std::move(message));
                 }
               }};
}

/// Which runs are meant: those of the filter, the newest first.
struct BulkRequest {
  std::optional<std::string> flow_name;
  std::optional<model::RunStatus> status;
  std::optional<base::Timestamp> since;
  std::optional<std::vector<std::string>> run_ids;
  std::optional<std::string> reason;
  std::string from = "failed";
};

void check_selection(const void* object, const base::Path& path, base::FieldErrors& errors) {
  const auto& request = *static_cast<const BulkRequest*>(object);
  bool has_filter = request.flow_name || request.status || request.since;
  if (!has_filter && !request.run_ids)
    errors.add(path, "must select runs by flow_name, status, since or run_ids");
  if (has_filter && request.run_ids)
    errors.add(path.member("run_ids"), "stand instead of a filter");
  if (!request.run_ids) return;
  base::Path list = path.member("run_ids");
  for (std::size_t i = 0; i < request.run_ids->size(); ++i)
    if (!base::parse_run_id((*request.run_ids)[i]))
      errors.add(list.element(i), "must be the id of a run");
}

std::vector<base::Field> selection_fields() {
  using S = BulkRequest;
  return {field<&S::flow_name>("flow_name", "runs of this flow").rule(base::name_rule),
          field<&S::status>("status", "runs of this status"),
          field<&S::since>("since", "runs created at or after this time"),
          field<&S::run_ids>("run_ids", "these runs, instead of a filter")
              .length(1, limits::bulk_runs_max)};
}

struct BulkCancel : BulkRequest {
  static const Fields& fields() {
    static const Fields fields(
        "BulkCancelRequest",
        [] {
          auto list = selection_fields();
          list.push_back(field<&BulkRequest::reason>("reason", "for people")
                             .length(0, limits::text_bytes_max));
          return list;
        }(),
        check_selection);
    return fields;
  }
};

struct BulkRerun : BulkRequest {
  static const Fields& fields() {
    static const Fields fields(
        "BulkRerunRequest",
        [] {
          auto list = selection_fields();
          list.push_back(field<&BulkRequest::from>("from", "as of a single rerun")
                             .length(1, 128)
                             .defaults_to("\"failed\""));
          return list;
        }(),
        check_selection);
    return fields;
  }
};

base::Result<Selection> select_runs(const Call& call, const BulkRequest& request, bool live) {
  Selection selection;
  if (request.run_ids) {
    for (const std::string& id : *request.run_ids)
      selection.runs.push_back(*base::parse_run_id(id));
    return selection;
  }
  store::RunFilter filter{request.flow_name, request.status, request.since};
  std::vector<store::RunRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows = TRY(store::list_runs_of(tx, call.identity->org_id, filter,
                                   live ? store::RunTable::live : store::RunTable::finished,
                                   limits::bulk_runs_max + 1));
    return {};
  }));
  selection.has_more = rows.size() > limits::bulk_runs_max;
  if (selection.has_more) rows.resize(limits::bulk_runs_max);
  for (const store::RunRow& row : rows) selection.runs.push_back(row.run.id);
  return selection;
}

base::Result<Reply> cancel_many(const Call& call) {
  auto request = TRY(call.read_body<BulkCancel>());
  Selection selection = TRY(select_runs(call, request, /*live=*/true));
  std::vector<BulkItem> items;
  BulkMessages<runtime::ControlRun> messages;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    items.clear();
    messages.clear();
    for (base::RunId id : selection.runs) {
      BulkItem& item = items.emplace_back(BulkItem{to_string(id), {}, {}});
      base::Result<store::RunRow> row = store::find_run_row(tx, call.identity->org_id, id);
      if (!row && row.error().code != base::ErrorCode::not_found) return row.error();
      if (!row) item.error = "no such run";
      if (row && row->finished_at) item.error = "the run is already final";
      if (item.error) continue;
      runtime::ControlRun& message =
          messages.emplace_back(items.size() - 1, runtime::ControlRun{}).second;
      message.run = id;
      message.event =
          engine::CancelRequested{request.reason.value_or("cancelled by " + call.identity->email)};
      message.audit = call.audit("run.cancel", "run", to_string(id), 200);
    }
    return {};
  }));
  return send_all<base::Result<>>(call, std::move(messages), std::move(items), selection.has_more,
                                  [](BulkItem&, const base::Result<>&) {});
}

base::Result<Reply> rerun_many(const Call& call) {
  auto request = TRY(call.read_body<BulkRerun>());
  if (!call.services.store.accepts_work())
    return base::unavailable("the server's disk is nearly full: no new runs");
  Selection selection = TRY(select_runs(call, request, /*live=*/false));
  RerunRequest each;
  each.from = request.from;
  return rerun_all(call, selection, each, Repeat::always);
}

}  // namespace

const Fields& RerunRequest::fields() {
  using S = RerunRequest;
  static const Fields fields(
      "RerunRequest",
      {field<&S::from>("from",
                       "start: the whole run; failed: what succeeded keeps its output; the id of "
                       "a task: it and what follows it run again, and what did not succeed")
           .length(1, 128)
           .defaults_to("\"start\""),
       field<&S::parameters>("parameters", "those that change; the others stay")});
  return fields;
}

const Fields& BulkItem::fields() {
  using S = BulkItem;
  static const Fields fields("BulkItem",
                             {field<&S::run_id>("run_id", "").required(),
                              field<&S::new_run_id>("new_run_id", "of a rerun").required(),
                              field<&S::error>("error", "why nothing was done").required()});
  return fields;
}

const Fields& BulkResult::fields() {
  using S = BulkResult;
  static const Fields fields(
      "BulkResult", {field<&S::done>("done", "runs with which it was done").required(),
                     field<&S::items>("items", "").required(),
                     field<&S::has_more>("has_more", "ask again for the rest").required()});
  return fields;
}

base::Result<Reply> rerun_all(const Call& call, const Selection& selection,
                              const RerunRequest& request, Repeat repeat) {
  std::vector<BulkItem> items;
  BulkMessages<runtime::CreateRun> messages;
  for (base::RunId id : selection.runs) {
    BulkItem& item = items.emplace_back(BulkItem{to_string(id), {}, {}});
    base::Result<runtime::CreateRun> message = make_rerun(call, id, request);
    if (message) {
      // The key is unique in the store: of requests that repeat the run, one creates its rerun.
      if (repeat == Repeat::once)
        message->key = store::IdempotencyRow{.org_id = call.identity->org_id,
                                             .route = std::string(call.route.path),
                                             .key = to_string(id)};
      messages.emplace_back(items.size() - 1, std::move(*message));
    } else {
      item.error = message.error().message;
    }
  }
  return send_all<base::Result<runtime::Created>>(
      call, std::move(messages), std::move(items), selection.has_more,
      [](BulkItem& item, const base::Result<runtime::Created>& created) {
        if (created && created->existed) {
          item.error = to_string(created->run) + " repeats it already";
        } else if (created) {
          item.new_run_id = to_string(created->run);
        }
      });
}

void add_rerun_routes(std::vector<Route>& routes) {
  using model::Permission;
  const std::vector<Answers> bulk_answers = {{200, "What became of each", BulkResult::fields}};
  routes.push_back({.method = Method::post,
                    .path = "/runs/{run_id}/rerun",
                    .access = Access::need(Permission::runs_write),
                    .name = "rerunRun",
                    .summary = "Run it again: whole, from what failed, or from a task",
                    .handler = rerun,
                    .body = RerunRequest::fields,
                    .answers = {{202, "Accepted and durable", RerunAccepted::fields},
                                {404, "No such run"},
                                {409, "It has not ended"}}});
  routes.push_back({.method = Method::post,
                    .path = "/runs/cancel",
                    .access = Access::need(Permission::runs_write),
                    .name = "cancelRuns",
                    .summary = "Cancel many live runs, by a filter or by their ids",
                    .handler = cancel_many,
                    .body = BulkCancel::fields,
                    .answers = bulk_answers});
  routes.push_back({.method = Method::post,
                    .path = "/runs/rerun",
                    .access = Access::need(Permission::runs_write),
                    .name = "rerunRuns",
                    .summary = "Run many finished runs again, by a filter or by their ids",
                    .handler = rerun_many,
                    .body = BulkRerun::fields,
                    .answers = bulk_answers});
}

}  // namespace api
