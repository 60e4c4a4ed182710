// Deployments: names bound to one flow version in one environment. Every query is within one
// organization.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/tx.h"

namespace store {

struct DeploymentRow {
  std::string deployment_id;  // time-ordered
  std::string org_id;
  std::string environment_id;
  std::string deployment_name;
  std::string flow_name;
  std::string flow_version;
  std::optional<std::string> previous_flow_version;
  std::string execution_mode;
  std::string parameters = "{}";  // JSON object
  std::string tags = "{}";        // JSON object of strings
  std::string created_by;
  base::Timestamp created_at;
  base::Timestamp updated_at;
  bool active = true;  // of its workflow; read only
};

/// Error `conflict` when the environment has a deployment of that name.
base::Result<> insert_deployment(Tx& tx, const DeploymentRow& row);
/// Writes version, previous version, execution mode, parameters, tags and updated_at.
base::Result<> update_deployment(Tx& tx, const DeploymentRow& row);
/// `not_found`.
base::Result<DeploymentRow> find_deployment(Tx& tx, const std::string& org_id,
                                            const std::string& environment_id,
                                            const std::string& deployment_name);
base::Result<> delete_deployment(Tx& tx, const DeploymentRow& row);

struct DeploymentFilter {
  std::optional<std::string> flow_name;
  std::optional<std::string> environment_id;
};

/// Newest first, with a deployment_id below `before`.
base::Result<std::vector<DeploymentRow>> list_deployments(Tx& tx, const std::string& org_id,
                                                          const DeploymentFilter& filter,
                                                          const std::optional<std::string>& before,
                                                          std::size_t limit);
/// Name of the oldest deployment that is bound to the version.
base::Result<std::optional<std::string>> deployment_of(Tx& tx, const std::string& org_id,
                                                       const std::string& flow_name,
                                                       const std::string& flow_version);

}  // namespace store
