// The process host of this program, and what its isolation means for organizations.
#pragma once

#include <memory>

#include "app/data_directory.h"
#include "app/settings.h"
#include "auth/accounts.h"
#include "exec/process.h"

namespace app {

/// Where the Python SDK lies that tasks import; empty when the program has none.
std::string sdk_path(const DataDirectory& directory);

/// Puts the SDK into the data directory, checks DAGY_ALLOWED_PATHS, starts the spawner, logs how
/// tasks are isolated.
base::Result<std::unique_ptr<exec::ProcessHost>> start_process_host(const Settings& settings,
                                                                    const DataDirectory& directory,
                                                                    base::Clock& clock);
auth::Tenancy tenancy_of(const Settings& settings, const exec::Isolation& isolation);
/// For an offline command: starts a process host to find out.
base::Result<auth::Tenancy> find_tenancy(const Settings& settings, const DataDirectory& directory,
                                         base::Clock& clock);

}  // namespace app
