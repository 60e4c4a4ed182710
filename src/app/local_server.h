// A server in this process for `dagy run`: its own data directory, a free port of 127.0.0.1, one
// user with a token that nobody else knows.
#pragma once

#include <memory>

#include "base/result.h"
#include "cli/context.h"

namespace app {

/// Its log keeps errors only. Signals are not taken: they stay with the caller's thread.
base::Result<std::unique_ptr<cli::LocalServer>> start_local_server(
    const cli::LocalOptions& options);

}  // namespace app
