// run and deploy of flow files, and following runs: watch and logs.
#pragma once

#include "cli/context.h"

namespace cli {

void add_run_commands(Context& context);

}  // namespace cli
