// Flows: registering versions and reading them.
#include <array>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "base/ids.h"
#include "base/limits.h"
#include "model/flow_spec.h"
#include "store/engine_sql.h"
#include "store/flows.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

enum class FlowStatus { active, inactive };
std::span<const base::EnumName> enum_names(FlowStatus) {
  static constexpr std::array<base::EnumName, 2> names{
      {{int(FlowStatus::active), "ACTIVE"}, {int(FlowStatus::inactive), "INACTIVE"}}};
  return names;
}

/// A FlowSpec in the OpenAPI document; its own reader checks far more than its fields.
struct SpecDocument {
  std::string text = "{}";
};

}  // namespace
}  // namespace api

template <>
struct base::FieldTypeOf<api::SpecDocument> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors) {
    if (detail::expect_type(from, JsonType::object, path, errors))
      static_cast<api::SpecDocument*>(to)->text = from.raw();
  }
  static void write(JsonWriter& to, const void* from) {
    to.raw(static_cast<const api::SpecDocument*>(from)->text);
  }
  static void schema(JsonWriter& to, const Limits&, SchemaRefs& refs) {
    detail::ref_schema(to, model::FlowSpec::fields(), refs);
  }
  static constexpr FieldType type{read, write, schema};
};

namespace api {

namespace {

struct FlowRequest {
  SpecDocument flow_spec;
  std::optional<std::string> namespace_name;
  std::optional<std::map<std::string, std::string>> tags;
  static const Fields& fields() {
    using S = FlowRequest;
    static const Fields fields(
        "FlowRequest",
        {field<&S::flow_spec>("flow_spec", "the flow; docs/formats.md").required(),
         field<&S::namespace_name>("namespace", "instead of the spec's").rule(base::name_rule),
         field<&S::tags>("tags", "instead of the spec's").length(0, 64)});
    return fields;
  }
};

struct FlowVersion {
  std::string flow_name;
  std::string flow_version;
  std::string org_id;
  std::optional<std::string> namespace_name;
  base::RawJson tags;
  SpecDocument flow_spec;
  std::optional<std::string> artifact_uri;
  FlowStatus status = FlowStatus::active;
  std::optional<std::string> deployment_name;
  base::Timestamp created_at;
  std::string created_by;
  static const Fields& fields() {
    using S = FlowVersion;
    static const Fields fields(
        "FlowVersion",
        {field<&S::flow_name>("flow_name", "").required(),
         field<&S::flow_version>("flow_version", "").required(),
         field<&S::org_id>("org_id", "").required(),
         field<&S::namespace_name>("namespace", "").required(),
         field<&S::tags>("tags", "labels").required(),
         field<&S::flow_spec>("flow_spec", "").required(),
         field<&S::artifact_uri>("artifact_uri", "null: the code is in the spec").required(),
         field<&S::status>("status", "").required(),
         field<&S::deployment_name>("deployment_name", "null: none was asked for").required(),
         field<&S::created_at>("created_at", "").required(),
         field<&S::created_by>("created_by", "e-mail").required()});
    return fields;
  }
};

struct FlowSummary {
  std::string flow_name;
  std::string flow_version;
  std::optional<std::string> namespace_name;
  base::RawJson tags;
  FlowStatus status = FlowStatus::active;
  base::Timestamp created_at;
  std::string created_by;
  static const Fields& fields() {
    using S = FlowSummary;
    static const Fields fields(
        "FlowSummary",
        {field<&S::flow_name>("flow_name", "").required(),
         field<&S::flow_version>("flow_version", "the newest").required(),
         field<&S::namespace_name>("namespace", "").required(),
         field<&S::tags>("tags", "labels").required(), field<&S::status>("status", "").required(),
         field<&S::created_at>("created_at", "of that version").required(),
         field<&S::created_by>("created_by", "e-mail").required()});
    return fields;
  }
};

struct FlowPage {
  std::vector<FlowSummary> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = FlowPage;
    static const Fields fields("FlowPage",
                               {field<&S::items>("items", "newest flow first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
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

struct VersionSummary {
  std::string flow_version;
  FlowStatus status = FlowStatus::active;
  base::Timestamp created_at;
  std::string created_by;
  static const Fields& fields() {
    using S = VersionSummary;
    static const Fields fields("VersionSummary",
                               {field<&S::flow_version>("flow_version", "").required(),
                                field<&S::status>("status", "").required(),
                                field<&S::created_at>("created_at", "").required(),
                                field<&S::created_by>("created_by", "e-mail").required()});
    return fields;
  }
};

struct VersionPage {
  std::vector<VersionSummary> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = VersionPage;
    static const Fields fields("VersionPage",
                               {field<&S::items>("items", "newest first").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

FlowStatus status_of(const store::FlowVersionRow& row) {
  return row.active ? FlowStatus::active : FlowStatus::inactive;
}

FlowVersion to_version(const store::FlowVersionRow& row) {
  FlowVersion version;
  version.flow_name = row.flow_name;
  version.flow_version = row.flow_version;
  version.org_id = row.org_id;
  version.namespace_name = row.namespace_name;
  version.tags.text = row.tags;
  // The stored spec has no version: the label belongs to the row.
  version.flow_spec.text = "{\"version\":";
  base::append_json_string(version.flow_spec.text, row.flow_version);
  version.flow_spec.text += ',' + row.spec.substr(1);
  version.status = status_of(row);
  version.created_at = row.created_at;
  version.created_by = row.created_by;
  return version;
}

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
  row.identity = base::sha256_hex(row.spec);
  row.created_by = call.identity->email;
  row.created_at = call.services.clock.now();
  return row;
}

base::Result<Reply> register_flow(const Call& call) {
  auto request = TRY(call.read_body<FlowRequest>());
  store::FlowVersionRow row = TRY(read_registration(call, request));
  std::string flow_id = base::new_id("wf", row.created_at, call.services.random);
  store::AuditRow audit = call.audit("flow.register", "flow", row.flow_name, 201);
  store::RegisteredFlow registered;
  TRY(call.services.store.write([&](store::Tx& tx) -> base::Result<> {
    registered = TRY(store::register_flow(tx, row, flow_id));
    if (!registered.created) return {};
    store::AuditRow record = audit;
    record.changes.clear();
    base::JsonWriter changes(record.changes);
    changes.begin_object().member("flow_version", registered.row.flow_version).end_object();
    return store::insert_audit(tx, record);
  }));
  if (registered.created) call.services.plans.changed();
  return json_reply(registered.created ? 201 : 200, to_version(registered.row));
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
  if (rows.size() > limit) {
    rows.resize(limit);
    page.next_token = make_cursor(call, rows.back().workflow_id);
  }
  for (const store::FlowVersionRow& row : rows)
    page.items.push_back({row.flow_name,
                          row.flow_version,
                          row.namespace_name,
                          {row.tags},
                          status_of(row),
                          row.created_at,
                          row.created_by});
  return json_reply(200, page);
}

base::Result<Reply> list_versions(const Call& call) {
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::optional<std::int64_t> before;
  if (position) before = std::stoll(*position);
  auto limit = static_cast<std::size_t>(query.limit);
  std::vector<store::FlowVersionRow> rows;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    rows =
        TRY(store::list_flow_versions(tx, call.identity->org_id, call.path[0], before, limit + 1));
    return {};
  }));
  VersionPage page;
  if (rows.size() > limit) {
    rows.resize(limit);
    page.next_token = make_cursor(call, std::to_string(rows.back().serial));
  }
  for (const store::FlowVersionRow& row : rows)
    page.items.push_back({row.flow_version, status_of(row), row.created_at, row.created_by});
  return json_reply(200, page);
}

base::Result<Reply> read_version(const Call& call, const std::optional<std::string>& label) {
  store::FlowVersionRow row;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_flow_version(tx, call.identity->org_id, call.path[0], label));
    return {};
  }));
  return json_reply(200, to_version(row));
}

base::Result<Reply> get_latest(const Call& call) {
  return read_version(call, std::nullopt);
}

base::Result<Reply> get_version(const Call& call) {
  return read_version(call, call.path[1]);
}

}  // namespace

Category flows_category() {
  using model::Permission;
  return {
      "Flows",
      "Flow versions: immutable, named by flow and label",
      {{.method = Method::post,
        .path = "/flows",
        .access = Access::need(Permission::flows_write),
        .name = "registerFlow",
        .summary = "Register a flow version; the same spec again answers the existing one",
        .handler = register_flow,
        .body = FlowRequest::fields,
        .answers = {{201, "Registered", FlowVersion::fields},
                    {200, "The same was registered before", FlowVersion::fields},
                    {409, "The version exists with another spec"}}},
       {.method = Method::get,
        .path = "/flows",
        .access = Access::need(Permission::flows_read),
        .name = "listFlows",
        .summary = "List flows with their newest version",
        .handler = list_flows,
        .query = FlowQuery::fields,
        .answers = {{200, "A page of flows", FlowPage::fields}}},
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
        .answers = {{200, "The version", FlowVersion::fields}, {404, "No such flow or version"}}}}};
}

}  // namespace api
