// Deployments as the API shows and takes them; flows and deployments have them in common.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "api/route.h"
#include "model/flow_spec.h"
#include "store/deployments.h"
#include "store/flows.h"

namespace api {

struct DeploymentView {
  std::string deployment_name;
  std::string flow_name;
  std::string flow_version;
  std::optional<std::string> previous_flow_version;
  model::ExecutionMode execution_mode{};
  base::RawJson parameters;
  std::string environment_id;
  base::RawJson tags;
  std::string status;
  base::Timestamp created_at;
  base::Timestamp updated_at;
  // Of some answers only.
  std::optional<std::string> schedule_id;
  std::optional<std::string> rolled_back_from;

  static const base::Fields& fields();
  static const base::Fields& deployed_fields();     // with schedule_id
  static const base::Fields& rolled_back_fields();  // with rolled_back_from
};

DeploymentView view_of(const store::DeploymentRow& row);
Reply deployment_reply(int status, const DeploymentView& view, Description description);

/// What a deployment is asked to be.
struct DeploymentOrder {
  std::string deployment_name;
  std::string flow_name;
  std::optional<std::string> flow_version;
  std::optional<model::ExecutionMode> execution_mode;
  std::optional<base::RawJson> parameters;
  std::optional<std::string> environment_id;
  std::optional<std::map<std::string, std::string>> tags;
  static const base::Fields& fields();
};

/// Makes the deployment, or binds the one of that name to the version; that one keeps what the
/// order does not name. `not_found` for its flow, version or environment, `conflict` when it is one
/// of another flow, `invalid` with paths for parameters that do not fit the version.
base::Result<store::DeploymentRow> put_deployment(const Call& call, store::Tx& tx,
                                                  const DeploymentOrder& order,
                                                  const std::string& new_deployment_id);
/// Makes the deployment. Errors as above, `conflict` when there is one of that name.
base::Result<store::DeploymentRow> make_deployment(const Call& call, store::Tx& tx,
                                                   const DeploymentOrder& order,
                                                   const std::string& new_deployment_id);
/// Whether `parameters`, an object, fit the version's: `invalid` with paths.
base::Result<> check_parameters(const Call& call, const store::FlowVersionRow& version,
                                const std::string& parameters);
/// The audit record of a change to a deployment.
store::AuditRow deployment_audit(store::AuditRow audit, const store::DeploymentRow& row);

}  // namespace api
