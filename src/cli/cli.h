// The command line of a client: everything that calls a server, or runs a flow in one of its own.
#pragma once

#include "cli/context.h"

namespace cli {

/// Adds the commands and the options that they share. `context` outlives the parsing.
void add_commands(Context& context);

}  // namespace cli
