// Flow versions. Every query is within one organization.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/tx.h"

namespace store {

struct FlowVersionRow {
  std::string org_id;
  std::string flow_name;
  std::int64_t serial = 0;  // 1, 2, … in order of registration within the flow
  std::string flow_version;
  std::optional<std::string> namespace_name;
  std::string tags = "{}";  // JSON object of strings
  std::string spec;         // canonical JSON without its version
  std::string identity;     // SHA-256 of what makes two registrations the same
  std::string status = "ACTIVE";
  std::string created_by;
  base::Timestamp created_at;
};

struct RegisteredFlow {
  FlowVersionRow row;
  bool created = false;  // false: the same was registered before
};

/// Registers `row`, whose serial is given here; an empty flow_version is numbered. `new_flow_id` is
/// used if the flow is new. Error `conflict` when the version exists with another identity.
base::Result<RegisteredFlow> register_flow(Tx& tx, FlowVersionRow row,
                                           const std::string& new_flow_id);

/// The newest version, or the one with that label. `not_found`.
base::Result<FlowVersionRow> find_flow_version(Tx& tx, const std::string& org_id,
                                               const std::string& flow_name,
                                               const std::optional<std::string>& version);

struct FlowFilter {
  std::optional<std::string> namespace_name;
  std::optional<std::pair<std::string, std::optional<std::string>>> tag;  // key, value
  std::optional<std::string> status;
};

/// Newest version of each flow, most recently created flow first; `before` is the flow_id to start
/// after. Pairs of flow_id and row.
base::Result<std::vector<std::pair<std::string, FlowVersionRow>>> list_flows(
    Tx& tx, const std::string& org_id, const FlowFilter& filter,
    const std::optional<std::string>& before, std::size_t limit);

/// Versions of one flow, newest first, with a serial below `before`. `not_found` without the flow.
base::Result<std::vector<FlowVersionRow>> list_flow_versions(Tx& tx, const std::string& org_id,
                                                             const std::string& flow_name,
                                                             std::optional<std::int64_t> before,
                                                             std::size_t limit);

}  // namespace store
