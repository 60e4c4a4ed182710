// Flow versions as the API shows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "store/flows.h"

namespace api {

enum class FlowStatus { active, inactive };
std::span<const base::EnumName> enum_names(FlowStatus);

/// A FlowSpec in the OpenAPI document; its own reader checks far more than its fields.
struct SpecDocument {
  std::string text = "{}";
};

}  // namespace api

template <>
struct base::FieldTypeOf<api::SpecDocument> {
  static void read(JsonView from, void* to, const Limits&, const Path& path, FieldErrors& errors);
  static void write(JsonWriter& to, const void* from);
  static void schema(JsonWriter& to, const Limits&, SchemaRefs& refs);
  static constexpr FieldType type{read, write, schema};
};

namespace api {

struct FlowVersion {
  std::string flow_name;
  std::string flow_version;
  std::string workflow_id;
  std::string org_id;
  std::optional<std::string> namespace_name;
  base::RawJson tags;
  SpecDocument flow_spec;
  std::optional<std::string> artifact_uri;
  FlowStatus status = FlowStatus::active;
  std::optional<std::string> deployment_name;
  base::Timestamp created_at;
  std::string created_by;
  static const base::Fields& fields();
};

struct FlowSummary {
  std::string flow_name;
  std::string flow_version;
  std::string workflow_id;
  std::optional<std::string> namespace_name;
  base::RawJson tags;
  FlowStatus status = FlowStatus::active;
  base::Timestamp created_at;
  std::string created_by;
  static const base::Fields& fields();
};

struct FlowPage {
  std::vector<FlowSummary> items;
  std::optional<std::string> next_token;
  static const base::Fields& fields();
};

struct VersionSummary {
  std::string flow_version;
  FlowStatus status = FlowStatus::active;
  base::Timestamp created_at;
  std::string created_by;
  static const base::Fields& fields();
};

struct VersionPage {
  std::vector<VersionSummary> items;
  std::optional<std::string> next_token;
  static const base::Fields& fields();
};

/// `deployment`: the name of one that is bound to the version.
FlowVersion view_of(const store::FlowVersionRow& row, std::optional<std::string> deployment);
FlowSummary summary_of(const store::FlowVersionRow& row);
VersionSummary version_summary_of(const store::FlowVersionRow& row);

}  // namespace api
