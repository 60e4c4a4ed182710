// Run control beyond the 129: pause and resume, the tasks of a run, why something waits. Approvals,
// reruns and what looks across runs are in files of their own.
#include "api/run_control.h"

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "api/run_view.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct TaskRunPage {
  std::vector<TaskRunView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = TaskRunPage;
    static const Fields fields("TaskRunPage",
                               {field<&S::items>("items", "in the order of the spec").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

base::Result<Reply> list_tasks(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::size_t first = 0;
  if (position) first = static_cast<std::size_t>(TRY(number_in_cursor(*position)));
  std::vector<engine::TaskRecord> tasks = TRY(tasks_of_run(call, id));
  std::size_t end = std::min(tasks.size(), first + static_cast<std::size_t>(query.limit));
  TaskRunPage page;
  for (std::size_t i = first; i < end; ++i)
    page.items.push_back(task_view(id, tasks[i], base::limits::inline_value_bytes_max));
  if (end < tasks.size()) page.next_token = make_cursor(call, std::to_string(end));
  return json_reply(200, page);
}

// ---- pause, resume ----

struct RunState {
  std::string run_id;
  model::RunStatus status{};
  static const Fields& fields() {
    using S = RunState;
    static const Fields fields("RunState", {field<&S::run_id>("run_id", "").required(),
                                            field<&S::status>("status", "").required()});
    return fields;
  }
};

struct ControlRequest {
  static const Fields& fields() {
    static const Fields fields("ControlRequest", {});
    return fields;
  }
};

base::Result<Reply> pause_run(const Call& call) {
  TRY(call.read_body<ControlRequest>());
  base::RunId id = TRY(own_run(call));
  return control_run(call, id, engine::PauseRequested{}, "run.pause", [id](Answer answer) {
    answer.send(json_reply(200, RunState{to_string(id), model::RunStatus::paused}).response);
  });
}

base::Result<Reply> resume_run(const Call& call) {
  TRY(call.read_body<ControlRequest>());
  base::RunId id = TRY(own_run(call));
  // Whether it runs again or waits for its flow's limit is to be seen.
  return control_run(call, id, engine::ResumeRequested{}, "run.resume",
                     [id, services = call.services](Answer answer) {
                       runtime::WatchRun watch;
                       watch.run = id;
                       watch.wait_until = services.clock.now();
                       watch.waiter = [answer, id](const runtime::RunSnapshot* now) {
                         auto status = now ? now->state.status : model::RunStatus::running;
                         answer.send(json_reply(200, RunState{to_string(id), status}).response);
                       };
                       services.loop.command(std::move(watch));
                     });
}

// ---- why ----

struct HolderView {
  std::optional<std::string> run_id;
  std::optional<std::string> task_run_id;
  std::optional<base::Timestamp> since;
  std::optional<std::string> note;
  static const Fields& fields() {
    using S = HolderView;
    static const Fields fields(
        "Holder", {field<&S::run_id>("run_id", "").required(),
                   field<&S::task_run_id>("task_run_id", "null: the run as a whole").required(),
                   field<&S::since>("since", "").required(),
                   field<&S::note>("note", "another organization, and no more").required()});
    return fields;
  }
};

struct ReasonView {
  runtime::Reason::Code code{};
  std::optional<std::string> task_run_id;
  std::string message;
  std::optional<base::Timestamp> since;
  std::optional<base::Timestamp> until;
  std::vector<HolderView> holders;
  static const Fields& fields() {
    using S = ReasonView;
    static const Fields fields(
        "Reason", {field<&S::code>("code", "what it waits for").required(),
                   field<&S::task_run_id>("task_run_id", "null: the run as a whole").required(),
                   field<&S::message>("message", "the same for people").required(),
                   field<&S::since>("since", "").required(),
                   field<&S::until>("until", "when it goes on by itself").required(),
                   field<&S::holders>("holders", "who has what is waited for").required()});
    return fields;
  }
};

struct WhyView {
  std::string run_id;
  model::RunStatus status{};
  std::vector<ReasonView> reasons;
  bool is_cut = false;
  static const Fields& fields() {
    using S = WhyView;
    static const Fields fields(
        "Why",
        {field<&S::run_id>("run_id", "").required(), field<&S::status>("status", "").required(),
         field<&S::reasons>("reasons", "empty when nothing waits; at most 1000").required(),
         field<&S::is_cut>("is_cut", "there are more reasons").required()});
    return fields;
  }
};

HolderView to_view(const runtime::HolderOf& holder) {
  if (holder.is_other_organization) return {{}, {}, {}, "another organization"};
  HolderView view{to_string(holder.run), {}, holder.since, {}};
  if (holder.task_run) view.task_run_id = *view.run_id + ':' + *holder.task_run;
  return view;
}

WhyView to_view(base::RunId id, const runtime::Explanation& why) {
  WhyView view{to_string(id), why.status, {}, why.is_cut};
  for (const runtime::Reason& reason : why.reasons) {
    ReasonView& each = view.reasons.emplace_back();
    each.code = reason.code;
    if (reason.task_run) each.task_run_id = view.run_id + ':' + *reason.task_run;
    each.message = reason.message;
    each.since = reason.since;
    each.until = reason.until;
    for (const runtime::HolderOf& holder : reason.holders) each.holders.push_back(to_view(holder));
  }
  return view;
}

base::Result<Reply> explain_run(const Call& call) {
  store::RunRow row = TRY(own_run_row(call));
  base::RunId id = row.run.id;
  if (row.finished_at) return json_reply(200, WhyView{to_string(id), row.run.status, {}, false});
  return Reply{{}, [services = call.services, id, row](Answer answer) {
                 runtime::ExplainRun ask;
                 ask.run = id;
                 ask.reply = [answer, id](base::Result<runtime::Explanation> why) {
                   // It has ended since its row was read.
                   if (!why && why.error().code == base::ErrorCode::not_found)
                     return answer.send_error(base::conflict("the run has just ended: ask again"));
                   if (!why) return answer.send_error(why.error());
                   answer.send(json_reply(200, to_view(id, *why)).response);
                 };
                 services.loop.command(std::move(ask));
               }};
}

}  // namespace

base::Result<store::RunRow> own_run_row(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  store::RunRow row;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_run_row(tx, call.identity->org_id, id));
    return {};
  }));
  return row;
}

base::Result<base::RunId> own_run(const Call& call) {
  return TRY(own_run_row(call)).run.id;
}

Reply control_run(const Call& call, base::RunId id, engine::Event event, std::string action,
                  std::function<void(Answer)> done) {
  auto message = std::make_shared<runtime::ControlRun>();
  message->run = id;
  message->event = std::move(event);
  message->audit = call.audit(std::move(action), "run", to_string(id), 200);
  return Reply{{}, [services = call.services, message, done = std::move(done)](Answer answer) {
                 message->reply = [answer, done](base::Result<> result) {
                   // A run that no longer lives has ended before.
                   if (!result && result.error().code == base::ErrorCode::not_found)
                     return answer.send_error(base::conflict("the run is already final"));
                   if (!result) return answer.send_error(result.error());
                   done(answer);
                 };
                 services.loop.command(std::move(*message));
               }};
}

// In run_events.cc, approvals.cc, reruns.cc, run_failures.cc and run_search.cc.
void add_event_routes(std::vector<Route>& routes);
void add_approval_routes(std::vector<Route>& routes);
void add_rerun_routes(std::vector<Route>& routes);
void add_failure_routes(std::vector<Route>& routes);
void add_search_routes(std::vector<Route>& routes);
void add_artifact_routes(std::vector<Route>& routes);

namespace {

std::vector<Route> routes() {
  using model::Permission;
  return {{.method = Method::get,
           .path = "/runs/{run_id}/tasks",
           .access = Access::need(Permission::runs_read),
           .name = "listTaskRuns",
           .summary = "The task runs of a run, with values up to 64 KiB",
           .handler = list_tasks,
           .query = PageQuery::fields,
           .answers = {{200, "A page of task runs", TaskRunPage::fields}, {404, "No such run"}}},
          {.method = Method::get,
           .path = "/runs/{run_id}/why",
           .access = Access::need(Permission::runs_read),
           .name = "explainRun",
           .summary = "Why the run or its tasks wait",
           .handler = explain_run,
           .answers = {{200, "The reasons", WhyView::fields},
                       {404, "No such run"},
                       {409, "It has just ended"}}},
          {.method = Method::post,
           .path = "/runs/{run_id}/pause",
           .access = Access::need(Permission::runs_write),
           .name = "pauseRun",
           .summary = "Pause a run: attempts under way finish, nothing new starts",
           .handler = pause_run,
           .body = ControlRequest::fields,
           .answers = {{200, "Paused", RunState::fields},
                       {404, "No such run"},
                       {409, "Paused already, or final"}}},
          {.method = Method::post,
           .path = "/runs/{run_id}/resume",
           .access = Access::need(Permission::runs_write),
           .name = "resumeRun",
           .summary = "Let a paused run go on; timers that fell due meanwhile act now",
           .handler = resume_run,
           .body = ControlRequest::fields,
           .answers = {
               {200, "It goes on", RunState::fields}, {404, "No such run"}, {409, "Not paused"}}}};
}

}  // namespace

Category run_control_category() {
  Category category{"Run control", "Looking into runs and steering them", routes()};
  add_event_routes(category.routes);
  add_approval_routes(category.routes);
  add_rerun_routes(category.routes);
  add_failure_routes(category.routes);
  add_search_routes(category.routes);
  add_artifact_routes(category.routes);
  return category;
}

}  // namespace api
