// Approvals: what waits for a person, and the decision.
#include <fmt/format.h>

#include <algorithm>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/run_control.h"
#include "base/limits.h"
#include "model/parameters.h"
#include "store/run_reports.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

struct ApprovalView {
  std::string run_id;
  std::string run_slug;
  std::string flow_name;
  std::string task_run_id;
  std::string task_id;
  std::optional<int> map_index;
  std::string message;
  std::vector<std::string> assignees;
  base::RawJson form;
  base::Timestamp created_at;
  std::optional<base::Timestamp> deadline;
  static const Fields& fields() {
    using S = ApprovalView;
    static const Fields fields(
        "Approval",
        {field<&S::run_id>("run_id", "").required(),
         field<&S::run_slug>("run_slug", "a label for people").required(),
         field<&S::flow_name>("flow_name", "").required(),
         field<&S::task_run_id>("task_run_id", "what the decision is sent to").required(),
         field<&S::task_id>("task_id", "").required(),
         field<&S::map_index>("map_index", "null: the task is not mapped").required(),
         field<&S::message>("message", "what is to be decided").required(),
         field<&S::assignees>("assignees", "who may decide; anybody with the permission if empty")
             .required(),
         field<&S::form>("form", "the values asked for, described as parameters").required(),
         field<&S::created_at>("created_at", "waits since").required(),
         field<&S::deadline>("deadline", "null: none").required()});
    return fields;
  }
};

struct ApprovalPage {
  std::vector<ApprovalView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = ApprovalPage;
    static const Fields fields("ApprovalPage",
                               {field<&S::items>("items", "oldest run first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

ApprovalView to_view(const store::ApprovalRow& row) {
  ApprovalView view;
  view.run_id = to_string(row.run);
  view.run_slug = base::run_slug(row.run);
  view.flow_name = row.flow_name;
  view.task_run_id = view.run_id + ':' + model::task_run_name(row.task_id, row.map_index);
  view.task_id = row.task_id;
  if (row.map_index >= 0) view.map_index = row.map_index;
  view.message = row.message;
  view.assignees = row.assignees;
  view.form.text = row.form;
  view.created_at = row.created_at;
  view.deadline = row.deadline;
  return view;
}

// A position is "<run id> <task run>".
base::Result<store::ApprovalPosition> position_of(const std::optional<std::string>& text) {
  store::ApprovalPosition position;
  if (!text) return position;
  std::size_t space = text->find(' ');
  auto run = base::parse_run_id(std::string_view(*text).substr(0, space));
  if (!run) return base::malformed("next_token is not one of this list");
  position.run = *run;
  if (space == std::string::npos) return base::malformed("next_token is not one of this list");
  position.task = TRY(number_in_cursor(std::string_view(*text).substr(space + 1)));
  return position;
}

base::Result<Reply> list_approvals(const Call& call) {
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> text = TRY(read_cursor(call, query.next_token));
  store::ApprovalPosition after = TRY(position_of(text));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::ApprovalRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows = TRY(store::list_approvals(tx, call.identity->org_id, after, limit + 1));
    return {};
  }));
  ApprovalPage page;
  page.next_token = cut_page(call, rows, limit, [](const auto& last) {
    return fmt::format("{} {}", to_string(last.run), last.task);
  });
  for (const store::ApprovalRow& row : rows) page.items.push_back(to_view(row));
  return json_reply(200, page);
}

// ---- decision ----

enum class Choice { approve, reject };

std::span<const base::EnumName> enum_names(Choice) {
  static constexpr auto names = std::to_array<base::EnumName>(
      {{int(Choice::approve), "approve"}, {int(Choice::reject), "reject"}});
  return names;
}

struct DecisionRequest {
  Choice decision{};
  std::optional<std::string> comment;
  base::RawJson form = {"{}"};
  static const Fields& fields() {
    using S = DecisionRequest;
    static const Fields fields(
        "DecisionRequest",
        {field<&S::decision>("decision", "approve lets the task succeed, reject fails it")
             .required(),
         field<&S::comment>("comment", "for people").length(0, limits::text_bytes_max),
         field<&S::form>("form", "the values asked for, by name; of an approval only")});
    return fields;
  }
};

struct Decision {
  std::string task_run_id;
  Choice decision{};
  std::string decided_by;
  static const Fields& fields() {
    using S = Decision;
    static const Fields fields("Decision",
                               {field<&S::task_run_id>("task_run_id", "").required(),
                                field<&S::decision>("decision", "").required(),
                                field<&S::decided_by>("decided_by", "e-mail").required()});
    return fields;
  }
};

struct TaskRunName {
  std::string task_id;
  int map_index = -1;
};

// "<task id>[:<map index>]", with or without "<run id>:" before it.
TaskRunName parse_task_run(std::string_view text, base::RunId run) {
  std::string prefix = to_string(run) + ':';
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  TaskRunName name{std::string(text), -1};
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return name;
  std::string_view digits = text.substr(colon + 1);
  bool is_index =
      !digits.empty() && digits.size() <= 6 &&
      std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_index) name = {std::string(text.substr(0, colon)), std::stoi(std::string(digits))};
  return name;
}

base::Result<> may_decide(const Call& call, const store::ApprovalRow& approval) {
  const auto& assignees = approval.assignees;
  bool is_named =
      std::find(assignees.begin(), assignees.end(), call.identity->email) != assignees.end();
  if (assignees.empty() || is_named || call.identity->role >= model::Role::admin) return {};
  return base::Error{base::ErrorCode::forbidden, "the approval is assigned to others"};
}

base::Result<engine::ApprovalDecided> decide(const Call& call, const DecisionRequest& request,
                                             const store::ApprovalRow& approval) {
  engine::ApprovalDecided event{approval.task, request.decision == Choice::approve, {}, {}};
  const std::string& who = call.identity->email;
  if (!event.approved) {
    event.message = "rejected by " + who;
    if (request.comment) event.message += ": " + *request.comment;
    return event;
  }
  auto form = TRY(base::JsonDocument::parse(approval.form));
  std::vector<model::ParameterSpec> asked;
  base::FieldErrors errors;
  base::field_type<std::vector<model::ParameterSpec>>().read(form->root(), &asked, {}, base::Path{},
                                                             errors);
  if (!errors.empty()) return base::internal_error("the approval's form is damaged");
  auto given = TRY(base::JsonDocument::parse(request.form.text));
  std::string values = TRY(model::resolve_parameters(asked, given->root(), "form"));
  std::string output;
  base::JsonWriter out(output);
  out.begin_object().member("decision", "approved").member("decided_by", who).key("comment");
  if (request.comment) {
    out.string(*request.comment);
  } else {
    out.null();
  }
  out.key("form").raw(values).end_object();
  if (output.size() > limits::inline_value_bytes_max)
    return base::invalid(
        fmt::format("the decision is above {} bytes", limits::inline_value_bytes_max));
  event.output = model::Value::inline_json(std::move(output));
  return event;
}

base::Result<Reply> decide_approval(const Call& call) {
  auto request = TRY(call.read_body<DecisionRequest>());
  store::RunRow row = TRY(own_run_row(call));
  base::RunId id = row.run.id;
  TaskRunName name = parse_task_run(call.path[1], id);
  base::Result<store::ApprovalRow> approval = base::not_found("");
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    approval = store::find_approval(tx, call.identity->org_id, id, name.task_id, name.map_index);
    return {};
  }));
  if (!approval) {
    std::vector<engine::TaskRecord> tasks = TRY(tasks_of_run(call, id));
    for (const engine::TaskRecord& task : tasks)
      if (task.id == name.task_id && task.map_index == name.map_index)
        return base::conflict(approval.error().message);
    return base::not_found(fmt::format("no task run {}", call.path[1]));
  }
  TRY(may_decide(call, *approval));
  engine::ApprovalDecided event = TRY(decide(call, request, *approval));
  Decision decision{
      to_string(id) + ':' + model::task_run_name(approval->task_id, approval->map_index),
      request.decision, call.identity->email};
  return control_run(
      call, id, std::move(event), event.approved ? "approval.approve" : "approval.reject",
      [decision](Answer answer) { answer.send(json_reply(200, decision).response); });
}

}  // namespace

void add_approval_routes(std::vector<Route>& routes) {
  using model::Permission;
  routes.push_back({.method = Method::get,
                    .path = "/approvals",
                    .access = Access::need(Permission::runs_read),
                    .name = "listApprovals",
                    .summary = "Task runs that wait for a person",
                    .handler = list_approvals,
                    .query = PageQuery::fields,
                    .answers = {{200, "A page of approvals", ApprovalPage::fields}}});
  routes.push_back({.method = Method::post,
                    .path = "/runs/{run_id}/tasks/{task_run_id}/decision",
                    .access = Access::need(Permission::approvals_decide),
                    .name = "decideApproval",
                    .summary = "Approve or reject; assigned ones by the assignees, admins, owners",
                    .handler = decide_approval,
                    .body = DecisionRequest::fields,
                    .answers = {{200, "Decided and durable", Decision::fields},
                                {404, "No such run or task run"},
                                {409, "It does not wait for a decision"}}});
}

}  // namespace api
