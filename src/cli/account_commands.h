// login, logout and config: who calls which server.
#pragma once

#include "cli/context.h"

namespace cli {

void add_account_commands(Context& context);

}  // namespace cli
