// Flow versions, and the workflow that they are versions of. Every query is within one
// organization.
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
  bool deleted = false;     // kept for the runs that it has; its label is not given again
  std::string created_by;
  base::Timestamp created_at;
  std::optional<std::string> artifact_uri = {};
  // Of the workflow.
  std::string workflow_id = {};
  bool active = true;  // its workflow is neither paused nor archived
};

struct RegisteredFlow {
  FlowVersionRow row;
  bool created = false;  // false: the same was registered before
};

/// Registers `row`, whose serial is given here; an empty flow_version is numbered. `new_flow_id` is
/// used if the flow is new. A version that was deleted comes back when the same is registered.
/// Error `conflict` when the version exists, or did, with another identity.
base::Result<RegisteredFlow> register_flow(Tx& tx, FlowVersionRow row,
                                           const std::string& new_flow_id);

enum class Deleted { hidden, shown };

/// The newest version that is not deleted, or the one with that label. `not_found`.
base::Result<FlowVersionRow> find_flow_version(Tx& tx, const std::string& org_id,
                                               const std::string& flow_name,
                                               const std::optional<std::string>& version,
                                               Deleted deleted = Deleted::hidden);

/// Error `not_found`, or `conflict` while a deployment is bound to it.
base::Result<> delete_flow_version(Tx& tx, const std::string& org_id, const std::string& flow_name,
                                   const std::string& version);

struct FlowFilter {
  std::optional<std::string> namespace_name;
  std::optional<std::pair<std::string, std::optional<std::string>>> tag;  // key, value
  std::optional<bool> active;
};

/// Newest version of each flow, most recently created flow first; `before` is the workflow_id to
/// start after.
base::Result<std::vector<FlowVersionRow>> list_flows(Tx& tx, const std::string& org_id,
                                                     const FlowFilter& filter,
                                                     const std::optional<std::string>& before,
                                                     std::size_t limit);

/// Versions of one flow, newest first, with a serial below `before`. `not_found` without the flow.
base::Result<std::vector<FlowVersionRow>> list_flow_versions(Tx& tx, const std::string& org_id,
                                                             const std::string& flow_name,
                                                             std::optional<std::int64_t> before,
                                                             std::size_t limit);

/// A named flow with its life; a state is a word of external-api.md.
struct WorkflowRow {
  std::string workflow_id;
  std::string flow_name;
  std::string status;  // active, paused, archived
  std::string description;
  std::int64_t version = 0;  // of its definition: 1, 2, …
  base::Timestamp created_at;
  base::Timestamp updated_at;
};

/// `not_found`.
base::Result<WorkflowRow> find_workflow(Tx& tx, const std::string& org_id,
                                        const std::string& workflow_id);
/// Writes status, description and updated_at.
base::Result<> update_workflow(Tx& tx, const WorkflowRow& row);

}  // namespace store
