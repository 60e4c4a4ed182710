// Deployments: a name bound to one flow version in one environment.
#include <fmt/format.h>

#include "api/cursor.h"
#include "api/deployment_view.h"
#include "api/paging.h"
#include "api/routes.h"
#include "base/ids.h"
#include "store/engine_sql.h"
#include "store/environments.h"
#include "store/flows.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct DeploymentPage {
  std::vector<DeploymentView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = DeploymentPage;
    static const Fields fields("DeploymentPage",
                               {field<&S::items>("items", "newest first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

struct DeploymentQuery {
  std::optional<std::string> flow_name;
  std::optional<std::string> environment_id;
  int limit = int(base::limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = DeploymentQuery;
    static const Fields fields(
        "DeploymentQuery", {field<&S::flow_name>("flow_name", "deployments of this flow only"),
                            field<&S::environment_id>(
                                "environment_id", "of the environment with this id or slug only"),
                            limit_field<&S::limit>(), next_token_field<&S::next_token>()});
    return fields;
  }
};

struct EnvironmentQuery {
  std::optional<std::string> environment;
  static const Fields& fields() {
    using S = EnvironmentQuery;
    static const Fields fields(
        "EnvironmentQuery",
        {field<&S::environment>("environment", "slug or id; the first one when absent")});
    return fields;
  }
};

struct RollbackRequest {
  std::optional<std::string> target_version;
  static const Fields& fields() {
    using S = RollbackRequest;
    static const Fields fields(
        "RollbackRequest",
        {field<&S::target_version>("target_version", "the previous one when absent")
             .rule(base::name_rule)});
    return fields;
  }
};

struct VersionRequest {
  std::string flow_version;
  static const Fields& fields() {
    using S = VersionRequest;
    static const Fields fields(
        "DeploymentVersionRequest",
        {field<&S::flow_version>("flow_version", "").required().rule(base::name_rule)});
    return fields;
  }
};

base::Result<Reply> create_deployment(const Call& call) {
  auto order = TRY(call.read_body<DeploymentOrder>());
  std::string id = base::new_id("dep", call.services.clock.now(), call.services.random);
  store::AuditRow audit = call.audit("deployment.create", "deployment", order.deployment_name, 201);
  store::DeploymentRow row;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(make_deployment(call, tx, order, id));
    return store::insert_audit(tx, deployment_audit(audit, row));
  }));
  return json_reply(201, view_of(row));
}

base::Result<Reply> list_deployments(const Call& call) {
  auto query = TRY(call.read_query<DeploymentQuery>());
  std::optional<std::string> before = TRY(read_cursor(call, query.next_token));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::DeploymentRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    const std::string& org_id = call.identity->org_id;
    store::DeploymentFilter filter{query.flow_name, std::nullopt};
    if (query.environment_id)
      filter.environment_id =
          TRY(store::find_environment(tx, org_id, query.environment_id)).environment_id;
    rows = TRY(store::list_deployments(tx, org_id, filter, before, limit + 1));
    return {};
  }));
  DeploymentPage page;
  page.next_token =
      cut_page(call, rows, limit, [](const auto& last) { return last.deployment_id; });
  for (const store::DeploymentRow& row : rows) page.items.push_back(view_of(row));
  return json_reply(200, page);
}

base::Result<store::DeploymentRow> named_deployment(const Call& call, store::Tx& tx,
                                                    const EnvironmentQuery& query) {
  const std::string& org_id = call.identity->org_id;
  auto environment = TRY(store::find_environment(tx, org_id, query.environment));
  return store::find_deployment(tx, org_id, environment.environment_id, call.path[0]);
}

// Binds the deployment to another version of its flow; the present one becomes the previous one.
base::Result<> bind_version(const Call& call, store::Tx& tx, store::DeploymentRow& row,
                            const std::string& version) {
  auto wanted = TRY(store::find_flow_version(tx, row.org_id, row.flow_name, version));
  TRY(check_parameters(call, wanted, row.parameters));
  row.previous_flow_version = row.flow_version;
  row.flow_version = version;
  row.updated_at = call.services.clock.now();
  return store::update_deployment(tx, row);
}

base::Result<Reply> roll_back(const Call& call) {
  auto query = TRY(call.read_query<EnvironmentQuery>());
  auto request = TRY(call.read_body<RollbackRequest>());
  store::AuditRow audit = call.audit("deployment.rollback", "deployment", call.path[0], 200);
  store::DeploymentRow row;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(named_deployment(call, tx, query));
    auto target = request.target_version ? request.target_version : row.previous_flow_version;
    if (!target) return base::conflict("nothing to roll back to: it has had one version only");
    if (*target == row.flow_version)
      return base::conflict(
          fmt::format("nothing to roll back: it is bound to version {} already", *target));
    TRY(bind_version(call, tx, row, *target));
    return store::insert_audit(tx, deployment_audit(audit, row));
  }));
  DeploymentView view = view_of(row);
  view.rolled_back_from = row.previous_flow_version;
  return deployment_reply(200, view, DeploymentView::rolled_back_fields);
}

base::Result<Reply> change_version(const Call& call) {
  auto query = TRY(call.read_query<EnvironmentQuery>());
  auto request = TRY(call.read_body<VersionRequest>());
  store::AuditRow audit = call.audit("deployment.version", "deployment", call.path[0], 200);
  store::DeploymentRow row;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(named_deployment(call, tx, query));
    if (request.flow_version == row.flow_version) return {};
    TRY(bind_version(call, tx, row, request.flow_version));
    return store::insert_audit(tx, deployment_audit(audit, row));
  }));
  return json_reply(200, view_of(row));
}

base::Result<Reply> delete_deployment(const Call& call) {
  auto query = TRY(call.read_query<EnvironmentQuery>());
  store::AuditRow audit = call.audit("deployment.delete", "deployment", call.path[0], 204);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    store::DeploymentRow row = TRY(named_deployment(call, tx, query));
    TRY(store::delete_deployment(tx, row));
    return store::insert_audit(tx, deployment_audit(audit, row));
  }));
  return empty_reply();
}

}  // namespace

Category deployments_category() {
  using model::Permission;
  return {"Deployments",
          "Names bound to one flow version in one environment: what runs are started by",
          {{.method = Method::post,
            .path = "/deployments",
            .access = Access::need(Permission::flows_write),
            .name = "createDeployment",
            .summary = "Bind a name to a flow version in an environment",
            .handler = create_deployment,
            .body = DeploymentOrder::fields,
            .answers = {{201, "Created", DeploymentView::fields},
                        {404, "No such flow, version or environment"},
                        {409, "The environment has a deployment of that name"}}},
           {.method = Method::get,
            .path = "/deployments",
            .access = Access::need(Permission::flows_read),
            .name = "listDeployments",
            .summary = "List deployments",
            .handler = list_deployments,
            .query = DeploymentQuery::fields,
            .answers = {{200, "A page of deployments", DeploymentPage::fields},
                        {404, "No such environment"}}},
           {.method = Method::post,
            .path = "/deployments/{deployment_name}/rollback",
            .access = Access::need(Permission::flows_write),
            .name = "rollBackDeployment",
            .summary = "Bind a deployment to its previous version, or to an older one",
            .handler = roll_back,
            .query = EnvironmentQuery::fields,
            .body = RollbackRequest::fields,
            .answers = {{200, "Rolled back", DeploymentView::rolled_back_fields},
                        {404, "No such deployment, environment or version"},
                        {409, "Nothing to roll back to"}}},
           {.method = Method::put,
            .path = "/deployments/{deployment_name}/version",
            .access = Access::need(Permission::flows_write),
            .name = "setDeploymentVersion",
            .summary = "Bind a deployment to another version of its flow",
            .handler = change_version,
            .query = EnvironmentQuery::fields,
            .body = VersionRequest::fields,
            .answers = {{200, "Bound", DeploymentView::fields},
                        {404, "No such deployment, environment or version"}}},
           {.method = Method::del,
            .path = "/deployments/{deployment_name}",
            .access = Access::need(Permission::flows_write),
            .name = "deleteDeployment",
            .summary = "Delete a deployment; its runs stay and go on",
            .handler = delete_deployment,
            .query = EnvironmentQuery::fields,
            .answers = {{204, "Deleted"}, {404, "No such deployment or environment"}}}}};
}

}  // namespace api
