// `dagy serve`: wires store, engine, processes and API together, and stops them in order.
#pragma once

#include "app/settings.h"
#include "base/result.h"

namespace app {

/// Runs until SIGTERM or SIGINT; a second one ends the process at once. Prints where it listens,
/// and at the first start the owner and, if none was given, a one-time password.
base::Result<> serve(Settings settings);

}  // namespace app
