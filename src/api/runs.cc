// Runs: trigger, list, read, cancel. Their logs are in run_logs.cc.
#include <algorithm>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "api/run_control.h"
#include "api/run_view.h"
#include "base/ids.h"
#include "base/limits.h"
#include "runtime/new_run.h"
#include "store/deployments.h"
#include "store/environments.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

struct RunRequest {
  std::optional<std::string> deployment_name;
  std::optional<std::string> flow_name;
  std::optional<std::string> flow_version;
  std::optional<std::string> environment_id;
  std::optional<model::ExecutionMode> execution_mode;
  base::RawJson parameters = {"{}"};
  int priority = 0;
  int wait_seconds = 0;
  static void check(const void* object, const base::Path& path, base::FieldErrors& errors) {
    const auto& request = *static_cast<const RunRequest*>(object);
    if (request.deployment_name.has_value() == request.flow_name.has_value())
      errors.add(path.member("deployment_name"), "give either deployment_name or flow_name");
    if (request.deployment_name && request.flow_version)
      errors.add(path.member("flow_version"), "is the deployment's: give flow_name instead");
  }
  static const Fields& fields() {
    using S = RunRequest;
    static const Fields fields(
        "RunRequest",
        {field<&S::deployment_name>("deployment_name", "the deployment to run; or flow_name")
             .rule(base::name_rule),
         field<&S::flow_name>("flow_name", "the flow to run; or deployment_name")
             .rule(base::name_rule),
         field<&S::flow_version>("flow_version", "of flow_name; the newest when absent")
             .rule(base::name_rule),
         field<&S::environment_id>("environment_id",
                                   "id or slug; of a deployment the first one when absent")
             .rule(base::name_rule),
         field<&S::execution_mode>("execution_mode",
                                   "size of tasks that name none; the deployment's when absent"),
         field<&S::parameters>("parameters",
                               "an object; checked against the flow's, over the deployment's"),
         field<&S::priority>("priority", "higher ones start first")
             .range(-limits::priority_max, limits::priority_max)
             .defaults_to("0"),
         field<&S::wait_seconds>("wait_seconds",
                                 "answer with the ended run if it ends within this time")
             .range(0, limits::wait_seconds_max)
             .defaults_to("0")},
        check);
    return fields;
  }
};

struct RunPage {
  std::vector<RunSummary> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = RunPage;
    static const Fields fields("RunPage",
                               {field<&S::items>("items", "newest first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

struct RunQuery {
  std::optional<std::string> flow_name;
  std::optional<std::string> deployment_name;
  std::optional<model::RunStatus> status;
  std::optional<base::Timestamp> since;
  int limit = int(limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = RunQuery;
    static const Fields fields(
        "RunQuery", {field<&S::flow_name>("flow_name", "runs of this flow only"),
                     field<&S::deployment_name>("deployment_name", "runs of this deployment only"),
                     field<&S::status>("status", "runs of this status only"),
                     field<&S::since>("since", "runs created at or after this time"),
                     limit_field<&S::limit>(), next_token_field<&S::next_token>()});
    return fields;
  }
};

struct CancelRequest {
  std::optional<std::string> reason;
  static const Fields& fields() {
    using S = CancelRequest;
    static const Fields fields(
        "CancelRequest",
        {field<&S::reason>("reason", "for people").length(0, limits::text_bytes_max)});
    return fields;
  }
};

struct RunCancelled {
  std::string run_id;
  model::RunStatus status = model::RunStatus::cancelled;
  static const Fields& fields() {
    using S = RunCancelled;
    static const Fields fields("RunCancelled", {field<&S::run_id>("run_id", "").required(),
                                                field<&S::status>("status", "").required()});
    return fields;
  }
};

net::Response accepted(base::RunId id, model::RunStatus status) {
  return json_reply(202, RunAccepted{to_string(id), base::run_slug(id), status}).response;
}

base::Result<RunView> read_run(const Call& call, base::RunId id) {
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, call.identity->org_id, id));
    return {};
  }));
  return view_of(call, detail);
}

// ---- trigger ----

base::Result<std::optional<store::IdempotencyRow>> idempotency_key(const Call& call) {
  std::string_view key = call.request.header("idempotency-key");
  if (key.data() == nullptr) return std::optional<store::IdempotencyRow>();
  bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!printable || key.empty() || key.size() > limits::idempotency_key_bytes_max)
    return base::malformed("Idempotency-Key must have 1 to 255 printable ASCII bytes");
  store::IdempotencyRow row;
  row.org_id = call.identity->org_id;
  row.principal =
      call.identity->api_key_id.empty() ? call.identity->user_id : call.identity->api_key_id;
  row.route = std::string(call.route.path);
  row.key = key;
  row.created_at = call.services.clock.now();
  std::string canonical;
  base::append_canonical_json(canonical, call.body->root(), 1);
  row.body_hash = base::sha256_hex(canonical);
  return std::optional(std::move(row));
}

// The run that has the key already; `invalid` when it came with another body.
base::Result<std::optional<base::RunId>> earlier_run(const Services& services,
                                                     const store::IdempotencyRow& key) {
  std::optional<store::Duplicate> earlier = TRY(services.store.find_key(key));
  if (!earlier) return std::optional<base::RunId>();
  if (!earlier->same_body) return store::key_reused();
  return std::optional(earlier->holder);
}

/// What a later answer needs once the call itself is gone.
struct Trigger {
  Services services;
  auth::Identity identity;
  const Route* route;
  int wait_seconds;
  Answer answer;

  // Reads the run from the store, off the shard's thread, and answers with it.
  void answer_from_store(base::RunId id, bool replayed) const {
    services.pool.submit([self = *this, id, replayed] {
      net::Request request;
      Call call{self.services, *self.route, request, {}, self.identity, nullptr, nullptr};
      base::Result<RunView> view = read_run(call, id);
      if (!view) return self.answer.send_error(view.error());
      net::Response response = json_reply(200, *view).response;
      if (replayed) response.headers.push_back({"Idempotency-Replayed", "true"});
      self.answer.send(std::move(response));
    });
  }
  // A repeat answers the run of the first request, as it is at its end or when the time is up.
  void answer_repeat(base::RunId id) const {
    if (wait_seconds == 0) return answer_from_store(id, true);
    runtime::WatchRun watch;
    watch.run = id;
    watch.wait_until = services.clock.now() + std::chrono::seconds(wait_seconds);
    watch.waiter = [self = *this, id](const runtime::RunSnapshot*) {
      self.answer_from_store(id, true);
    };
    services.loop.command(std::move(watch));
  }
  void answer_snapshot(const runtime::RunSnapshot& snapshot) const {
    if (!model::is_final(snapshot.state.status))
      return answer.send(accepted(snapshot.run.id, snapshot.state.status));
    answer.send(json_reply(200, view_of(snapshot)).response);
  }
};

// What the request names: a deployment with what it is bound to, or a flow.
base::Result<> resolve_target(const Call& call, RunRequest& request, store::LiveRunRow& run) {
  if (!request.deployment_name && !request.environment_id) return {};
  return call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    auto environment = TRY(store::find_environment(tx, run.org_id, request.environment_id));
    run.environment_id = environment.environment_id;
    if (!request.deployment_name) return {};
    auto deployment = TRY(store::find_deployment(tx, run.org_id, environment.environment_id,
                                                 *request.deployment_name));
    run.deployment_name = deployment.deployment_name;
    run.execution_mode = deployment.execution_mode;
    request.flow_name = deployment.flow_name;
    request.flow_version = deployment.flow_version;
    request.parameters.text =
        TRY(runtime::overlay_parameters(deployment.parameters, request.parameters.text));
    return {};
  });
}

base::Result<runtime::CreateRun> new_run(const Call& call, RunRequest request) {
  runtime::CreateRun message;
  message.run.org_id = call.identity->org_id;
  TRY(resolve_target(call, request, message.run));
  if (request.execution_mode) message.run.execution_mode = base::name_of(*request.execution_mode);
  auto plan = TRY(
      call.services.plans.runnable(message.run.org_id, *request.flow_name, request.flow_version));
  auto given = TRY(base::JsonDocument::parse(request.parameters.text));
  message.run.trigger_type = "api";
  message.run.created_by = call.identity->email;
  message.run.priority = request.priority;
  TRY(runtime::prepare_run(message.run, *plan, given->root(), call.services.objects));
  message.plan = std::move(plan);
  return message;
}

void submit(runtime::CreateRun message, std::shared_ptr<Trigger> trigger) {
  auto own_id = std::make_shared<base::RunId>();
  message.reply = [trigger, own_id](base::Result<runtime::Created> created) {
    if (!created) return trigger->answer.send_error(created.error());
    *own_id = created->run;
    if (created->existed) return trigger->answer_repeat(created->run);
    if (trigger->wait_seconds == 0)
      trigger->answer.send(accepted(created->run, model::RunStatus::queued));
  };
  if (trigger->wait_seconds > 0) {
    message.wait_until =
        trigger->services.clock.now() + std::chrono::seconds(trigger->wait_seconds);
    message.waiter = [trigger, own_id](const runtime::RunSnapshot* snapshot) {
      if (snapshot != nullptr) return trigger->answer_snapshot(*snapshot);
      trigger->answer_from_store(*own_id, false);
    };
  }
  trigger->services.loop.command(std::move(message));
}

base::Result<Reply> trigger_run(const Call& call) {
  auto request = TRY(call.read_body<RunRequest>());
  if (!call.services.store.accepts_work())
    return base::unavailable("the server's disk is nearly full: no new runs");
  std::optional<store::IdempotencyRow> key = TRY(idempotency_key(call));
  auto make_trigger = [services = call.services, identity = *call.identity, route = &call.route,
                       wait_seconds = request.wait_seconds](Answer answer) {
    return std::make_shared<Trigger>(
        Trigger{services, identity, route, wait_seconds, std::move(answer)});
  };
  if (key)
    if (auto earlier = TRY(earlier_run(call.services, *key)))
      return Reply{{}, [make_trigger, id = *earlier](Answer answer) {
                     make_trigger(std::move(answer))->answer_repeat(id);
                   }};
  auto message = std::make_shared<runtime::CreateRun>(TRY(new_run(call, request)));
  message->key = std::move(key);
  return Reply{{}, [make_trigger, message](Answer answer) {
                 submit(std::move(*message), make_trigger(std::move(answer)));
               }};
}

// ---- list, read, cancel ----

base::Result<Reply> list_runs(const Call& call) {
  auto query = TRY(call.read_query<RunQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::optional<base::RunId> before;
  if (position) before = base::parse_run_id(*position);
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::RunRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows = TRY(store::list_runs(tx, call.identity->org_id,
                                {query.flow_name, query.status, query.since, query.deployment_name},
                                before, limit + 1));
    return {};
  }));
  RunPage page;
  page.next_token =
      cut_page(call, rows, limit, [](const auto& last) { return to_string(last.run.id); });
  for (const store::RunRow& row : rows) page.items.push_back(summary_of(row));
  return json_reply(200, page);
}

base::Result<Reply> get_run(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  RunView view = TRY(read_run(call, id));
  return json_reply(200, view);
}

base::Result<Reply> cancel_run(const Call& call) {
  base::RunId id = TRY(own_run(call));
  auto request = TRY(call.read_body<CancelRequest>());
  engine::CancelRequested event{request.reason.value_or("cancelled by " + call.identity->email)};
  return control_run(call, id, std::move(event), "run.cancel", [id](Answer answer) {
    answer.send(json_reply(200, RunCancelled{to_string(id)}).response);
  });
}

}  // namespace

const Fields& RunAccepted::fields() {
  using S = RunAccepted;
  static const Fields fields("RunAccepted",
                             {field<&S::run_id>("run_id", "").required(),
                              field<&S::run_slug>("run_slug", "a label for people").required(),
                              field<&S::status>("status", "").required()});
  return fields;
}

// In run_logs.cc.
Route run_logs_route();

Category runs_category() {
  using model::Permission;
  return {"Runs",
          "Starting and following runs",
          {{.method = Method::post,
            .path = "/runs",
            .access = Access::need(Permission::runs_trigger),
            .name = "triggerRun",
            .summary = "Start a run; with wait_seconds, answer with it when it has ended",
            .handler = trigger_run,
            .body = RunRequest::fields,
            .answers = {{202, "Accepted and durable", RunAccepted::fields},
                        {200, "Ended within wait_seconds, or the run of a repeated Idempotency-Key",
                         RunView::fields},
                        {404, "No such deployment, environment, flow or version"},
                        {409,
                         "Its workflow is paused or archived, or the flow's "
                         "concurrency_policy is skip and its limit is reached"}},
            .takes_idempotency_key = true},
           {.method = Method::get,
            .path = "/runs",
            .access = Access::need(Permission::runs_read),
            .name = "listRuns",
            .summary = "List runs, live and finished",
            .handler = list_runs,
            .query = RunQuery::fields,
            .answers = {{200, "A page of runs", RunPage::fields}}},
           {.method = Method::get,
            .path = "/runs/{run_id}",
            .access = Access::need(Permission::runs_read),
            .name = "getRun",
            .summary = "One run with its tasks",
            .handler = get_run,
            .answers = {{200, "The run", RunView::fields}, {404, "No such run"}}},
           {.method = Method::post,
            .path = "/runs/{run_id}/cancel",
            .access = Access::need(Permission::runs_write),
            .name = "cancelRun",
            .summary = "Cancel a run; its status is final at once, its processes are ended",
            .handler = cancel_run,
            .body = CancelRequest::fields,
            .answers = {{200, "Cancelled", RunCancelled::fields},
                        {404, "No such run"},
                        {409, "Already final"}}},
           run_logs_route()}};
}

}  // namespace api
