#include "store/deployments.h"

#include <fmt/format.h>

namespace store {

namespace {

constexpr std::string_view columns =
    "d.deployment_id, d.org_id, d.environment_id, d.deployment_name, d.flow_name, d.flow_version, "
    "d.previous_flow_version, d.execution_mode, d.parameters, d.tags, d.created_by, d.created_at, "
    "d.updated_at, f.status";

constexpr std::string_view deployments =
    "deployments d JOIN flows f ON f.org_id = d.org_id AND f.flow_name = d.flow_name";

DeploymentRow read_row(const Row& row) {
  DeploymentRow deployment;
  deployment.deployment_id = row.string(0);
  deployment.org_id = row.string(1);
  deployment.environment_id = row.string(2);
  deployment.deployment_name = row.string(3);
  deployment.flow_name = row.string(4);
  deployment.flow_version = row.string(5);
  deployment.previous_flow_version = row.optional_string(6);
  deployment.execution_mode = row.string(7);
  deployment.parameters = row.string(8);
  deployment.tags = row.string(9);
  deployment.created_by = row.string(10);
  deployment.created_at = row.timestamp(11);
  deployment.updated_at = row.timestamp(12);
  deployment.active = row.text(13) == "active";
  return deployment;
}

}  // namespace

base::Result<> insert_deployment(Tx& tx, const DeploymentRow& row) {
  std::int64_t written = TRY(
      tx.run("INSERT INTO deployments (deployment_id, org_id, environment_id, deployment_name, "
             "flow_name, flow_version, previous_flow_version, execution_mode, parameters, tags, "
             "created_by, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, "
             "?11, ?12, ?13) ON CONFLICT (org_id, environment_id, deployment_name) DO NOTHING",
             {row.deployment_id, row.org_id, row.environment_id, row.deployment_name, row.flow_name,
              row.flow_version, row.previous_flow_version, row.execution_mode, row.parameters,
              row.tags, row.created_by, row.created_at, row.updated_at}));
  if (written == 0)
    return base::conflict(
        fmt::format("a deployment {} exists in this environment", row.deployment_name));
  return {};
}

base::Result<> update_deployment(Tx& tx, const DeploymentRow& row) {
  TRY(
      tx.run("UPDATE deployments SET flow_version = ?2, previous_flow_version = ?3, execution_mode "
             "= ?4, parameters = ?5, tags = ?6, updated_at = ?7 WHERE deployment_id = ?1",
             {row.deployment_id, row.flow_version, row.previous_flow_version, row.execution_mode,
              row.parameters, row.tags, row.updated_at}));
  return {};
}

base::Result<DeploymentRow> find_deployment(Tx& tx, const std::string& org_id,
                                            const std::string& environment_id,
                                            const std::string& deployment_name) {
  std::optional<DeploymentRow> found;
  TRY(tx.run(fmt::format("SELECT {} FROM {} WHERE d.org_id = ?1 AND d.environment_id = ?2 AND "
                         "d.deployment_name = ?3",
                         columns, deployments),
             {org_id, environment_id, deployment_name},
             [&](const Row& row) { found = read_row(row); }));
  if (!found)
    return base::not_found(fmt::format("no deployment {} in this environment", deployment_name));
  return std::move(*found);
}

base::Result<> delete_deployment(Tx& tx, const DeploymentRow& row) {
  TRY(tx.run("DELETE FROM deployments WHERE deployment_id = ?1", {row.deployment_id}));
  return {};
}

base::Result<std::vector<DeploymentRow>> list_deployments(Tx& tx, const std::string& org_id,
                                                          const DeploymentFilter& filter,
                                                          const std::optional<std::string>& before,
                                                          std::size_t limit) {
  std::vector<DeploymentRow> rows;
  TRY(tx.run(fmt::format("SELECT {} FROM {} WHERE d.org_id = ?1 AND (?2 IS NULL OR d.flow_name = "
                         "?2) AND (?3 IS NULL OR d.environment_id = ?3) AND (?4 IS NULL OR "
                         "d.deployment_id < ?4) ORDER BY d.deployment_id DESC LIMIT ?5",
                         columns, deployments),
             {org_id, filter.flow_name, filter.environment_id, before, limit},
             [&](const Row& row) { rows.push_back(read_row(row)); }));
  return rows;
}

base::Result<std::optional<std::string>> deployment_of(Tx& tx, const std::string& org_id,
                                                       const std::string& flow_name,
                                                       const std::string& flow_version) {
  std::optional<std::string> name;
  TRY(
      tx.run("SELECT deployment_name FROM deployments WHERE org_id = ?1 AND flow_name = ?2 AND "
             "flow_version = ?3 ORDER BY deployment_id LIMIT 1",
             {org_id, flow_name, flow_version}, [&](const Row& row) { name = row.string(0); }));
  return name;
}

}  // namespace store
