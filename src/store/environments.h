// The environments of an organization: what deployments and runs belong to. Functions of one
// transaction.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "store/tx.h"

namespace store {

struct EnvironmentRow {
  std::string environment_id;
  std::string slug;
};

/// dev, staging and prod, in this order: what every organization begins with.
base::Result<> insert_first_environments(Tx& tx, const std::string& org_id, base::Timestamp now);

/// The environment with that id or slug, or the first one. `not_found`.
base::Result<EnvironmentRow> find_environment(Tx& tx, const std::string& org_id,
                                              const std::optional<std::string>& id_or_slug);

}  // namespace store
