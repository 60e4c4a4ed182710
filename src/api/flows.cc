// Flows: registering versions and reading them.
#include "store/flows.h"
#include "api/cursor.h"
#include "api/deployment_view.h"
#include "api/flow_artifact.h"
#include "api/flow_view.h"
#include "api/paging.h"
#include "api/routes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "model/flow_spec.h"
#include "store/artifacts.h"
#include "store/engine_sql.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

struct FlowRequest {
  SpecDocument flow_spec;
  std::optional<std::string> namespace_name;
  std::optional<std::map<std::string, std::string>> tags;
  std::optional<std::string> artifact_uri;
  std::optional<std::string> deployment_name;
  std::optional<model::ExecutionMode> execution_mode;
  std::optional<std::string> schedule;
  std::optional<std::string> timezone;
  static void check(const void* object, const base::Path& path, base::FieldErrors& errors) {
    const auto& request = *static_cast<const FlowRequest*>(object);
    constexpr const char* elsewhere = "must be null: POST /flows/{flow_name}/deploy takes it";
    if (request.schedule) errors.add(path.member("schedule"), elsewhere);
    if (request.timezone) errors.add(path.member("timezone"), elsewhere);
    if (request.execution_mode && !request.deployment_name)
      errors.add(path.member("execution_mode"), "needs a deployment_name: it is the deployment's");
  }
  static const Fields& fields() {
    using S = FlowRequest;
    static const Fields fields(
        "FlowRequest",
        {field<&S::flow_spec>("flow_spec", "the flow; docs/formats.md").required(),
         field<&S::namespace_name>("namespace", "instead of the spec's").rule(base::name_rule),
         field<&S::tags>("tags", "instead of the spec's").length(0, 64),
         field<&S::artifact_uri>("artifact_uri", "of an uploaded ZIP file that the tasks run from"),
         field<&S::deployment_name>("deployment_name",
                                    "bind this deployment of the first environment to the version")
             .rule(base::name_rule),
         field<&S::execution_mode>("execution_mode", "of that deployment"),
         field<&S::schedule>("schedule", "null: /flows/{flow_name}/deploy takes it"),
         field<&S::timezone>("timezone", "null: /flows/{flow_name}/deploy takes it")},
        check);
    return fields;
  }
};

struct DeployRequest {
  std::string deployment_name;
  std::optional<std::string> flow_version;
  std::optional<model::ExecutionMode> execution_mode;
  std::optional<base::RawJson> parameters;
  std::optional<std::string> environment_id;
  std::optional<std::map<std::string, std::string>> tags;
  std::optional<std::string> schedule;
  std::optional<std::string> timezone;
  static void check(const void* object, const base::Path& path, base::FieldErrors& errors) {
    const auto& request = *static_cast<const DeployRequest*>(object);
    if (request.schedule) errors.add(path.member("schedule"), "schedules are not there yet");
    if (request.timezone) errors.add(path.member("timezone"), "schedules are not there yet");
  }
  static const Fields& fields() {
    using S = DeployRequest;
    static const Fields fields(
        "DeployRequest",
        {field<&S::deployment_name>("deployment_name", "made, or given this version")
             .required()
             .rule(base::name_rule),
         field<&S::flow_version>("flow_version", "the newest when absent").rule(base::name_rule),
         field<&S::execution_mode>("execution_mode",
                                   "size of tasks that name none; small when absent"),
         field<&S::parameters>("parameters", "an object: of runs that do not give them"),
         field<&S::environment_id>("environment_id", "id or slug; the first one when absent")
             .rule(base::name_rule),
         field<&S::tags>("tags", "labels").length(0, 64),
         field<&S::schedule>("schedule", "null: schedules are not there yet"),
         field<&S::timezone>("timezone", "null: schedules are not there yet")},
        check);
    return fields;
  }
};

struct FlowQuery {
  std::optional<std::string> namespace_name;
  std::optional<std::string> tag;
  std::optional<FlowStatus> status;
  int limit = int(limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = FlowQuery;
    static const Fields fields(
        "FlowQuery",
        {field<&S::namespace_name>("namespace", "flows of this namespace only"),
         field<&S::tag>("tag", "`key` or `key:value`: flows with this tag only").length(1, 512),
         field<&S::status>("status", "flows of this status only"), limit_field<&S::limit>(),
         next_token_field<&S::next_token>()});
    return fields;
  }
};

base::Result<store::FlowVersionRow> read_registration(const Call& call,
                                                      const FlowRequest& request) {
  base::FieldErrors errors;
  base::Path root;
  base::JsonView document = *call.body->root().find("flow_spec");
  model::FlowSpec spec =
      model::read_flow_spec(document, call.services.catalog, root.member("flow_spec"), errors);
  if (!errors.empty()) return std::move(errors).error();
  store::FlowVersionRow row;
  row.org_id = call.identity->org_id;
  row.flow_name = spec.name;
  if (spec.version && *spec.version != "latest") row.flow_version = *spec.version;
  row.namespace_name = request.namespace_name ? request.namespace_name : spec.namespace_name;
  row.tags.clear();
  base::JsonWriter tags(row.tags);
  base::field_type<std::map<std::string, std::string>>().write(
      tags, request.tags ? &*request.tags : &spec.tags);
  row.spec = model::canonical_spec(document);
  auto artifact = TRY(check_artifact(call, request.artifact_uri, spec));
  if (artifact) row.artifact_uri = store::artifact_uri(*artifact);
  row.identity = base::sha256_hex(artifact ? row.spec + *artifact : row.spec);
  row.created_by = call.identity->email;
  row.created_at = call.services.clock.now();
  return row;
}

// The deployment that a registration names, bound to the version.
base::Result<store::DeploymentRow> upsert(const Call& call, store::Tx& tx,
                                          const DeploymentOrder& order, const std::string& new_id,
                                          const store::AuditRow& audit) {
  auto row = TRY(put_deployment(call, tx, order, new_id));
  TRY(store::insert_audit(tx, deployment_audit(audit, row)));
  return row;
}

base::Result<> record_registration(store::Tx& tx, store::AuditRow audit,
                                   const store::FlowVersionRow& row) {
  audit.changes.clear();
  base::JsonWriter changes(audit.changes);
  changes.begin_object().member("flow_version", row.flow_version).end_object();
  return store::insert_audit(tx, audit);
}

// What nothing named may have gone since it was looked at.
base::Result<> keep_artifact(store::Tx& tx, const store::FlowVersionRow& row) {
  if (!row.artifact_uri) return {};
  std::string sha256 = store::artifact_of(*row.artifact_uri).value();
  if (!TRY(store::artifact_parts(tx, row.org_id, sha256)).empty()) return {};
  return base::conflict("the artifact was removed meanwhile: upload it again");
}

base::Result<Reply> register_flow(const Call& call) {
  auto request = TRY(call.read_body<FlowRequest>());
  store::FlowVersionRow row = TRY(read_registration(call, request));
  std::string flow_id = base::new_id("wf", row.created_at, call.services.random);
  std::string deployment_id = base::new_id("dep", row.created_at, call.services.random);
  store::AuditRow audit = call.audit("flow.register", "flow", row.flow_name, 201);
  store::AuditRow deployed =
      call.audit("flow.deploy", "deployment", request.deployment_name.value_or(""), 201);
  store::RegisteredFlow registered;
  std::optional<std::string> deployment;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(keep_artifact(tx, row));
    registered = TRY(store::register_flow(tx, row, flow_id));
    if (registered.created) TRY(record_registration(tx, audit, registered.row));
    if (request.deployment_name) {
      DeploymentOrder order;
      order.deployment_name = *request.deployment_name;
      order.flow_name = registered.row.flow_name;
      order.flow_version = registered.row.flow_version;
      order.execution_mode = request.execution_mode;
      TRY(upsert(call, tx, order, deployment_id, deployed));
      deployment = request.deployment_name;
    } else {
      deployment = TRY(store::deployment_of(tx, row.org_id, registered.row.flow_name,
                                            registered.row.flow_version));
    }
    return {};
  }));
  if (registered.created) call.services.plans.changed();
  return json_reply(registered.created ? 201 : 200, view_of(registered.row, deployment));
}

base::Result<Reply> deploy_flow(const Call& call) {
  auto request = TRY(call.read_body<DeployRequest>());
  DeploymentOrder order;
  order.deployment_name = request.deployment_name;
  order.flow_name = call.path[0];
  order.flow_version = request.flow_version;
  order.execution_mode = request.execution_mode;
  order.parameters = request.parameters;
  order.environment_id = request.environment_id;
  order.tags = request.tags;
  std::string id = base::new_id("dep", call.services.clock.now(), call.services.random);
  store::AuditRow audit = call.audit("flow.deploy", "deployment", order.deployment_name, 201);
  store::DeploymentRow row;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    row = TRY(upsert(call, tx, order, id, audit));
    return {};
  }));
  return deployment_reply(201, view_of(row), DeploymentView::deployed_fields);
}

base::Result<Reply> delete_version(const Call& call) {
  store::AuditRow audit = call.audit("flow.delete", "flow", call.path[0], 204);
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    const std::string& org_id = call.identity->org_id;
    auto row = TRY(store::find_flow_version(tx, org_id, call.path[0], call.path[1]));
    TRY(store::delete_flow_version(tx, org_id, call.path[0], call.path[1]));
    return record_registration(tx, audit, row);
  }));
  call.services.plans.changed();
  return empty_reply();
}

store::FlowFilter to_filter(const FlowQuery& query) {
  store::FlowFilter filter;
  filter.namespace_name = query.namespace_name;
  if (query.status) filter.active = *query.status == FlowStatus::active;
  if (!query.tag) return filter;
  std::size_t colon = query.tag->find(':');
  filter.tag.emplace(query.tag->substr(0, colon), std::nullopt);
  if (colon != std::string::npos) filter.tag->second = query.tag->substr(colon + 1);
  return filter;
}

base::Result<Reply> list_flows(const Call& call) {
  auto query = TRY(call.read_query<FlowQuery>());
  std::optional<std::string> before = TRY(read_cursor(call, query.next_token));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::FlowVersionRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows = TRY(store::list_flows(tx, call.identity->org_id, to_filter(query), before, limit + 1));
    return {};
  }));
  FlowPage page;
  page.next_token = cut_page(call, rows, limit, [](const auto& last) { return last.workflow_id; });
  for (const store::FlowVersionRow& row : rows) page.items.push_back(summary_of(row));
  return json_reply(200, page);
}

base::Result<Reply> list_versions(const Call& call) {
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::optional<std::int64_t> before;
  if (position) before = TRY(number_in_cursor(*position));
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::FlowVersionRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows =
        TRY(store::list_flow_versions(tx, call.identity->org_id, call.path[0], before, limit + 1));
    return {};
  }));
  VersionPage page;
  page.next_token =
      cut_page(call, rows, limit, [](const auto& last) { return std::to_string(last.serial); });
  for (const store::FlowVersionRow& row : rows) page.items.push_back(version_summary_of(row));
  return json_reply(200, page);
}

base::Result<Reply> read_version(const Call& call, const std::optional<std::string>& label) {
  store::FlowVersionRow row;
  std::optional<std::string> deployment;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_flow_version(tx, call.identity->org_id, call.path[0], label));
    deployment = TRY(store::deployment_of(tx, row.org_id, row.flow_name, row.flow_version));
    return {};
  }));
  return json_reply(200, view_of(row, deployment));
}

base::Result<Reply> get_latest(const Call& call) {
  return read_version(call, std::nullopt);
}

base::Result<Reply> get_version(const Call& call) {
  return read_version(call, call.path[1]);
}

}  // namespace

// In flow_backends.cc.
Route backends_route();

Category flows_category() {
  using model::Permission;
  return {
      "Flows",
      "Flow versions: immutable, named by flow and label",
      {{.method = Method::post,
        .path = "/flows",
        .access = Access::need(Permission::flows_write),
        .name = "registerFlow",
        .summary =
            "Register a flow version; the same spec and artifact again answers the existing one",
        .handler = register_flow,
        .body = FlowRequest::fields,
        .answers =
            {{201, "Registered", FlowVersion::fields},
             {200, "The same was registered before", FlowVersion::fields},
             {409,
              "The version exists with another spec or artifact, or the deployment is one of "
              "another flow"}}},
       {.method = Method::get,
        .path = "/flows",
        .access = Access::need(Permission::flows_read),
        .name = "listFlows",
        .summary = "List flows with their newest version",
        .handler = list_flows,
        .query = FlowQuery::fields,
        .answers = {{200, "A page of flows", FlowPage::fields}}},
       backends_route(),
       {.method = Method::get,
        .path = "/flows/{flow_name}/versions",
        .access = Access::need(Permission::flows_read),
        .name = "listFlowVersions",
        .summary = "List the versions of a flow",
        .handler = list_versions,
        .query = PageQuery::fields,
        .answers = {{200, "A page of versions", VersionPage::fields}, {404, "No such flow"}}},
       {.method = Method::get,
        .path = "/flows/{flow_name}/latest",
        .access = Access::need(Permission::flows_read),
        .name = "getLatestFlowVersion",
        .summary = "The newest version of a flow",
        .handler = get_latest,
        .answers = {{200, "The version", FlowVersion::fields}, {404, "No such flow"}}},
       {.method = Method::get,
        .path = "/flows/{flow_name}/versions/{flow_version}",
        .access = Access::need(Permission::flows_read),
        .name = "getFlowVersion",
        .summary = "One version of a flow",
        .handler = get_version,
        .answers = {{200, "The version", FlowVersion::fields}, {404, "No such flow or version"}}},
       {.method = Method::del,
        .path = "/flows/{flow_name}/versions/{flow_version}",
        .access = Access::need(Permission::flows_write),
        .name = "deleteFlowVersion",
        .summary = "Delete a version; its runs stay, and its label is not given again",
        .handler = delete_version,
        .answers = {{204, "Deleted"},
                    {404, "No such flow or version"},
                    {409, "A deployment is bound to it"}}},
       {.method = Method::post,
        .path = "/flows/{flow_name}/deploy",
        .access = Access::need(Permission::flows_write),
        .name = "deployFlow",
        .summary = "Bind a deployment to a version of the flow; makes it if there is none",
        .handler = deploy_flow,
        .body = DeployRequest::fields,
        .answers = {{201, "Deployed", DeploymentView::deployed_fields},
                    {404, "No such flow, version or environment"},
                    {409, "The deployment is one of another flow"}}}}};
}

}  // namespace api
