// The commands of plain resources, all made from the route table.
#pragma once

#include "cli/context.h"

namespace cli {

void add_resource_commands(Context& context);

}  // namespace cli
