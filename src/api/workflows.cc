// Workflows: the life of a named flow, whatever its versions.
#include "api/routes.h"
#include "base/limits.h"
#include "store/engine_sql.h"
#include "store/flows.h"

namespace api {

using base::field;
using base::Fields;

namespace {

enum class WorkflowStatus { active, paused, archived };
std::span<const base::EnumName> enum_names(WorkflowStatus) {
  static constexpr std::array<base::EnumName, 3> names{
      {{int(WorkflowStatus::active), "active"},
       {int(WorkflowStatus::paused), "paused"},
       {int(WorkflowStatus::archived), "archived"}}};
  return names;
}

struct WorkflowView {
  std::string workflow_id;
  std::string flow_name;
  std::string description;
  WorkflowStatus status{};
  std::int64_t version = 0;
  base::Timestamp created_at;
  base::Timestamp updated_at;
  static const Fields& fields() {
    using S = WorkflowView;
    static const Fields fields(
        "Workflow", {field<&S::workflow_id>("workflow_id", "").required(),
                     field<&S::flow_name>("flow_name", "").required(),
                     field<&S::description>("description", "").required(),
                     field<&S::status>("status", "only an active one starts runs").required(),
                     field<&S::version>("version", "grows with each registered version").required(),
                     field<&S::created_at>("created_at", "").required(),
                     field<&S::updated_at>("updated_at", "").required()});
    return fields;
  }
};

struct WorkflowPatch {
  std::optional<WorkflowStatus> status;
  std::optional<std::string> description;
  static const Fields& fields() {
    using S = WorkflowPatch;
    static const Fields fields("WorkflowPatch",
                               {field<&S::status>("status", "live runs go on, whatever it becomes"),
                                field<&S::description>("description", "for people")
                                    .length(0, base::limits::text_bytes_max)});
    return fields;
  }
};

WorkflowView view_of(const store::WorkflowRow& row) {
  return {row.workflow_id,
          row.flow_name,
          row.description,
          base::enum_from_name<WorkflowStatus>(row.status).value_or(WorkflowStatus::archived),
          row.version,
          row.created_at,
          row.updated_at};
}

store::AuditRow with_changes(store::AuditRow audit, const WorkflowPatch& patch) {
  audit.changes.clear();
  base::JsonWriter changes(audit.changes);
  changes.begin_object();
  if (patch.status) changes.member("status", base::name_of(*patch.status));
  if (patch.description) changes.member("description", *patch.description);
  changes.end_object();
  return audit;
}

base::Result<Reply> patch_workflow(const Call& call) {
  auto patch = TRY(call.read_body<WorkflowPatch>());
  store::AuditRow audit =
      with_changes(call.audit("workflow.update", "workflow", call.path[0], 200), patch);
  store::WorkflowRow row;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_workflow(tx, call.identity->org_id, call.path[0]));
    if (!patch.status && !patch.description) return {};
    if (patch.status) row.status = base::name_of(*patch.status);
    if (patch.description) row.description = *patch.description;
    row.updated_at = call.services.clock.now();
    TRY(store::update_workflow(tx, row));
    return store::insert_audit(tx, audit);
  }));
  call.services.plans.changed();
  return json_reply(200, view_of(row));
}

}  // namespace

Category workflows_category() {
  return {"Workflows",
          "The life of a flow, whatever its versions",
          {{.method = Method::patch,
            .path = "/workflows/{workflow_id}",
            .access = Access::need(model::Permission::flows_write),
            .name = "updateWorkflow",
            .summary = "Pause, archive or describe a workflow, or make it active again",
            .handler = patch_workflow,
            .body = WorkflowPatch::fields,
            .answers = {{200, "As it is now", WorkflowView::fields}, {404, "No such workflow"}}}}};
}

}  // namespace api
