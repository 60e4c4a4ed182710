// `dagy doctor`: what stands between this client and a run that works.
#pragma once

#include "cli/context.h"

namespace cli {

void add_doctor_command(Context& context);

}  // namespace cli
