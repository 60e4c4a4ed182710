#include "api/deployment_view.h"

#include <fmt/format.h>

#include "base/ids.h"
#include "model/parameters.h"
#include "model/plan.h"
#include "store/environments.h"
#include "store/flows.h"

namespace api {

using base::field;
using base::Fields;

namespace {

// With one more, when given.
std::vector<base::Field> field_list(std::optional<base::Field> last = {}) {
  using S = DeploymentView;
  std::vector<base::Field> list{
      field<&S::deployment_name>("deployment_name", "").required(),
      field<&S::flow_name>("flow_name", "").required(),
      field<&S::flow_version>("flow_version", "what its runs run").required(),
      field<&S::previous_flow_version>("previous_flow_version", "what a rollback goes back to")
          .required(),
      field<&S::execution_mode>("execution_mode", "size of tasks that name none").required(),
      field<&S::parameters>("parameters", "of runs that do not give them").required(),
      field<&S::environment_id>("environment_id", "").required(),
      field<&S::tags>("tags", "labels").required(),
      field<&S::status>("status", "INACTIVE while its workflow is paused or archived").required(),
      field<&S::created_at>("created_at", "").required(),
      field<&S::updated_at>("updated_at", "").required()};
  if (last) list.push_back(*last);
  return list;
}

}  // namespace

const Fields& DeploymentView::fields() {
  static const Fields fields("Deployment", field_list());
  return fields;
}

const Fields& DeploymentView::deployed_fields() {
  static const Fields fields(
      "DeployedFlow",
      field_list(field<&DeploymentView::schedule_id>("schedule_id", "").required()));
  return fields;
}

const Fields& DeploymentView::rolled_back_fields() {
  static const Fields fields("RolledBackDeployment",
                             field_list(field<&DeploymentView::rolled_back_from>(
                                            "rolled_back_from", "the version it had before")
                                            .required()));
  return fields;
}

const Fields& DeploymentOrder::fields() {
  using S = DeploymentOrder;
  static const Fields fields(
      "DeploymentRequest",
      {field<&S::deployment_name>("deployment_name", "its name within the environment")
           .required()
           .rule(base::name_rule),
       field<&S::flow_name>("flow_name", "").required().rule(base::name_rule),
       field<&S::flow_version>("flow_version", "the newest when absent").rule(base::name_rule),
       field<&S::execution_mode>("execution_mode", "size of tasks that name none; small if absent"),
       field<&S::parameters>("parameters", "an object: of runs that do not give them"),
       field<&S::environment_id>("environment_id", "id or slug; the first one when absent")
           .rule(base::name_rule),
       field<&S::tags>("tags", "labels").length(0, 64)});
  return fields;
}

Reply deployment_reply(int status, const DeploymentView& view, Description description) {
  Reply reply{{.status = status}, nullptr};
  base::JsonWriter body(reply.response.body);
  description().write(body, &view);
  return reply;
}

DeploymentView view_of(const store::DeploymentRow& row) {
  DeploymentView view;
  view.deployment_name = row.deployment_name;
  view.flow_name = row.flow_name;
  view.flow_version = row.flow_version;
  view.previous_flow_version = row.previous_flow_version;
  view.execution_mode = base::enum_from_name<model::ExecutionMode>(row.execution_mode)
                            .value_or(model::ExecutionMode::small);
  view.parameters.text = row.parameters;
  view.environment_id = row.environment_id;
  view.tags.text = row.tags;
  view.status = row.active ? "ACTIVE" : "INACTIVE";
  view.created_at = row.created_at;
  view.updated_at = row.updated_at;
  return view;
}

base::Result<> check_parameters(const Call& call, const store::FlowVersionRow& version,
                                const std::string& parameters) {
  auto plan = TRY(model::load_plan(version.spec, version.flow_version, call.services.catalog));
  auto given = TRY(base::JsonDocument::parse(parameters));
  base::FieldErrors errors;
  base::Path root;
  model::check_given(plan->parameters, given->root(), root.member("parameters"), errors);
  return errors.empty() ? base::Result<>() : std::move(errors).error();
}

namespace {

// What the order says of `row`, which has been made for it or is there already.
base::Result<> apply(const Call& call, const DeploymentOrder& order,
                     const store::FlowVersionRow& version, store::DeploymentRow& row) {
  row.flow_name = version.flow_name;
  row.flow_version = version.flow_version;
  row.active = version.active;
  if (order.execution_mode) row.execution_mode = base::name_of(*order.execution_mode);
  if (order.parameters) row.parameters = order.parameters->text;
  if (order.tags) {
    row.tags.clear();
    base::JsonWriter tags(row.tags);
    base::field_type<std::map<std::string, std::string>>().write(tags, &*order.tags);
  }
  row.updated_at = call.services.clock.now();
  return check_parameters(call, version, row.parameters);
}

base::Result<store::DeploymentRow> make_in(const Call& call, store::Tx& tx,
                                           const DeploymentOrder& order,
                                           const store::FlowVersionRow& version,
                                           const std::string& environment_id,
                                           const std::string& new_deployment_id) {
  store::DeploymentRow row;
  row.deployment_id = new_deployment_id;
  row.org_id = call.identity->org_id;
  row.environment_id = environment_id;
  row.deployment_name = order.deployment_name;
  row.execution_mode = base::name_of(model::ExecutionMode::small);
  row.created_by = call.identity->email;
  row.created_at = call.services.clock.now();
  TRY(apply(call, order, version, row));
  TRY(store::insert_deployment(tx, row));
  return row;
}

}  // namespace

base::Result<store::DeploymentRow> make_deployment(const Call& call, store::Tx& tx,
                                                   const DeploymentOrder& order,
                                                   const std::string& new_deployment_id) {
  auto environment = TRY(store::find_environment(tx, call.identity->org_id, order.environment_id));
  auto version =
      TRY(store::find_flow_version(tx, call.identity->org_id, order.flow_name, order.flow_version));
  return make_in(call, tx, order, version, environment.environment_id, new_deployment_id);
}

base::Result<store::DeploymentRow> put_deployment(const Call& call, store::Tx& tx,
                                                  const DeploymentOrder& order,
                                                  const std::string& new_deployment_id) {
  const std::string& org_id = call.identity->org_id;
  auto environment = TRY(store::find_environment(tx, org_id, order.environment_id));
  auto version = TRY(store::find_flow_version(tx, org_id, order.flow_name, order.flow_version));
  auto row = store::find_deployment(tx, org_id, environment.environment_id, order.deployment_name);
  if (!row && row.error().code == base::ErrorCode::not_found)
    return make_in(call, tx, order, version, environment.environment_id, new_deployment_id);
  if (!row) return row;
  if (row->flow_name != order.flow_name)
    return base::conflict(fmt::format("deployment {} of this environment is one of flow {}",
                                      order.deployment_name, row->flow_name));
  std::string before = row->flow_version;
  TRY(apply(call, order, version, *row));
  if (row->flow_version != before) row->previous_flow_version = before;
  TRY(store::update_deployment(tx, *row));
  return row;
}

store::AuditRow deployment_audit(store::AuditRow audit, const store::DeploymentRow& row) {
  audit.changes.clear();
  base::JsonWriter changes(audit.changes);
  changes.begin_object().member("environment_id", row.environment_id);
  changes.member("flow_name", row.flow_name).member("flow_version", row.flow_version).end_object();
  return audit;
}

}  // namespace api
