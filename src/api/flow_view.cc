#include "api/flow_view.h"

#include <array>

#include "base/json.h"
#include "model/flow_spec.h"

void base::FieldTypeOf<api::SpecDocument>::read(JsonView from, void* to, const Limits&,
                                                const Path& path, FieldErrors& errors) {
  if (detail::expect_type(from, JsonType::object, path, errors))
    static_cast<api::SpecDocument*>(to)->text = from.raw();
}

void base::FieldTypeOf<api::SpecDocument>::write(JsonWriter& to, const void* from) {
  to.raw(static_cast<const api::SpecDocument*>(from)->text);
}

void base::FieldTypeOf<api::SpecDocument>::schema(JsonWriter& to, const Limits&, SchemaRefs& refs) {
  detail::ref_schema(to, model::FlowSpec::fields(), refs);
}

namespace api {

using base::field;
using base::Fields;

std::span<const base::EnumName> enum_names(FlowStatus) {
  static constexpr std::array<base::EnumName, 2> names{
      {{int(FlowStatus::active), "ACTIVE"}, {int(FlowStatus::inactive), "INACTIVE"}}};
  return names;
}

const Fields& FlowVersion::fields() {
  using S = FlowVersion;
  static const Fields fields(
      "FlowVersion",
      {field<&S::flow_name>("flow_name", "").required(),
       field<&S::flow_version>("flow_version", "").required(),
       field<&S::workflow_id>("workflow_id", "of PATCH /workflows/{workflow_id}").required(),
       field<&S::org_id>("org_id", "").required(),
       field<&S::namespace_name>("namespace", "").required(),
       field<&S::tags>("tags", "labels").required(),
       field<&S::flow_spec>("flow_spec", "").required(),
       field<&S::artifact_uri>("artifact_uri", "where the code is; null: in the spec").required(),
       field<&S::status>("status", "").required(),
       field<&S::deployment_name>("deployment_name", "one that is bound to this version")
           .required(),
       field<&S::created_at>("created_at", "").required(),
       field<&S::created_by>("created_by", "e-mail").required()});
  return fields;
}

const Fields& FlowSummary::fields() {
  using S = FlowSummary;
  static const Fields fields(
      "FlowSummary",
      {field<&S::flow_name>("flow_name", "").required(),
       field<&S::flow_version>("flow_version", "the newest").required(),
       field<&S::workflow_id>("workflow_id", "").required(),
       field<&S::namespace_name>("namespace", "").required(),
       field<&S::tags>("tags", "labels").required(), field<&S::status>("status", "").required(),
       field<&S::created_at>("created_at", "of that version").required(),
       field<&S::created_by>("created_by", "e-mail").required()});
  return fields;
}

const Fields& FlowPage::fields() {
  using S = FlowPage;
  static const Fields fields("FlowPage",
                             {field<&S::items>("items", "newest flow first").required(),
                              field<&S::next_token>("next_token", "null at the end").required()});
  return fields;
}

const Fields& VersionSummary::fields() {
  using S = VersionSummary;
  static const Fields fields("VersionSummary",
                             {field<&S::flow_version>("flow_version", "").required(),
                              field<&S::status>("status", "").required(),
                              field<&S::created_at>("created_at", "").required(),
                              field<&S::created_by>("created_by", "e-mail").required()});
  return fields;
}

const Fields& VersionPage::fields() {
  using S = VersionPage;
  static const Fields fields("VersionPage",
                             {field<&S::items>("items", "newest first").required(),
                              field<&S::next_token>("next_token", "null at the end").required()});
  return fields;
}

namespace {

FlowStatus status_of(const store::FlowVersionRow& row) {
  return row.active ? FlowStatus::active : FlowStatus::inactive;
}

}  // namespace

FlowVersion view_of(const store::FlowVersionRow& row, std::optional<std::string> deployment) {
  FlowVersion version;
  version.flow_name = row.flow_name;
  version.flow_version = row.flow_version;
  version.workflow_id = row.workflow_id;
  version.org_id = row.org_id;
  version.namespace_name = row.namespace_name;
  version.tags.text = row.tags;
  // The stored spec has no version: the label belongs to the row.
  version.flow_spec.text = "{\"version\":";
  base::append_json_string(version.flow_spec.text, row.flow_version);
  version.flow_spec.text += ',' + row.spec.substr(1);
  version.artifact_uri = row.artifact_uri;
  version.status = status_of(row);
  version.deployment_name = std::move(deployment);
  version.created_at = row.created_at;
  version.created_by = row.created_by;
  return version;
}

FlowSummary summary_of(const store::FlowVersionRow& row) {
  return {row.flow_name, row.flow_version, row.workflow_id, row.namespace_name,
          {row.tags},    status_of(row),   row.created_at,  row.created_by};
}

VersionSummary version_summary_of(const store::FlowVersionRow& row) {
  return {row.flow_version, status_of(row), row.created_at, row.created_by};
}

}  // namespace api
