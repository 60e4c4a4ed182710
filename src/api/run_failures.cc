// Failed runs, grouped by what failed and how, and run again together.
#include "api/cursor.h"
#include "api/paging.h"
#include "api/reruns.h"
#include "base/limits.h"
#include "store/run_reports.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

struct FailureGroupView {
  std::string fingerprint;
  std::string flow_name;
  std::optional<std::string> task_id;
  FailureView error;
  std::int64_t runs = 0;
  std::int64_t open = 0;
  base::Timestamp first_seen;
  base::Timestamp last_seen;
  std::string last_run_id;
  static const Fields& fields() {
    using S = FailureGroupView;
    static const Fields fields(
        "FailureGroup",
        {field<&S::fingerprint>("fingerprint", "the same for failures that differ in numbers only")
             .required(),
         field<&S::flow_name>("flow_name", "").required(),
         field<&S::task_id>("task_id", "null: no task's failure decided the run").required(),
         field<&S::error>("error", "of the newest run").required(),
         field<&S::runs>("runs", "that failed so").required(),
         field<&S::open>("open", "of them, those that no other run repeats").required(),
         field<&S::first_seen>("first_seen", "").required(),
         field<&S::last_seen>("last_seen", "").required(),
         field<&S::last_run_id>("last_run_id", "").required()});
    return fields;
  }
};

struct FailurePage {
  std::vector<FailureGroupView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = FailurePage;
    static const Fields fields("FailurePage",
                               {field<&S::items>("items", "the last to be seen first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

struct FailureQuery {
  std::optional<std::string> flow_name;
  std::optional<base::Timestamp> since;
  int limit = int(limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = FailureQuery;
    static const Fields fields("FailureQuery",
                               {field<&S::flow_name>("flow_name", "failures of this flow only"),
                                field<&S::since>("since", "of runs created at or after this time"),
                                limit_field<&S::limit>(), next_token_field<&S::next_token>()});
    return fields;
  }
};

FailureGroupView to_view(const store::FailureGroup& group) {
  FailureGroupView view;
  view.fingerprint = group.fingerprint;
  view.flow_name = group.last.run.flow_name;
  if (!group.failed_task.empty()) view.task_id = group.failed_task;
  if (group.last.failure) view.error = {group.last.failure->kind, group.last.failure->message};
  view.runs = group.runs;
  view.open = group.open;
  view.first_seen = group.first_seen;
  view.last_seen = group.last.run.created_at;
  view.last_run_id = to_string(group.last.run.id);
  return view;
}

base::Result<Reply> list_failures(const Call& call) {
  auto query = TRY(call.read_query<FailureQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::optional<base::RunId> before;
  if (position) before = base::parse_run_id(*position);
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::FailureGroup> groups;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    groups = TRY(store::list_failures(tx, call.identity->org_id, {query.flow_name, query.since},
                                      before, limit + 1));
    return {};
  }));
  FailurePage page;
  page.next_token =
      cut_page(call, groups, limit, [](const auto& last) { return to_string(last.last.run.id); });
  for (const store::FailureGroup& group : groups) page.items.push_back(to_view(group));
  return json_reply(200, page);
}

struct RedriveRequest {
  std::string from = "failed";
  static const Fields& fields() {
    using S = RedriveRequest;
    static const Fields fields(
        "RedriveRequest",
        {field<&S::from>("from", "as of a single rerun").length(1, 128).defaults_to("\"failed\"")});
    return fields;
  }
};

base::Result<Reply> redrive(const Call& call) {
  auto request = TRY(call.read_body<RedriveRequest>());
  if (!call.services.store.accepts_work())
    return base::unavailable("the server's disk is nearly full: no new runs");
  Selection selection;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    selection.runs = TRY(
        store::list_unrepeated(tx, call.identity->org_id, call.path[0], limits::bulk_runs_max + 1));
    return {};
  }));
  if (selection.runs.empty())
    return base::not_found("no failed run of that fingerprint is left to be repeated");
  selection.has_more = selection.runs.size() > limits::bulk_runs_max;
  if (selection.has_more) selection.runs.pop_back();
  RerunRequest each;
  each.from = request.from;
  return rerun_all(call, selection, each, Repeat::once);
}

}  // namespace

void add_failure_routes(std::vector<Route>& routes) {
  using model::Permission;
  routes.push_back({.method = Method::get,
                    .path = "/run-failures",
                    .access = Access::need(Permission::runs_read),
                    .name = "listRunFailures",
                    .summary = "Failed runs, grouped by what failed and how",
                    .handler = list_failures,
                    .query = FailureQuery::fields,
                    .answers = {{200, "A page of groups", FailurePage::fields}}});
  routes.push_back({.method = Method::post,
                    .path = "/run-failures/{fingerprint}/redrive",
                    .access = Access::need(Permission::runs_write),
                    .name = "redriveRunFailures",
                    .summary = "Run all of a group again that no other run repeats yet",
                    .handler = redrive,
                    .body = RedriveRequest::fields,
                    .answers = {{200, "What became of each", BulkResult::fields},
                                {404, "No such failures, or all are repeated"}}});
}

}  // namespace api
