// How fast the API answers while the server has something else to bear.
#pragma once

#include "workloads.h"

namespace bench {

std::vector<Row> run_answers(ServerProcess& server);

}  // namespace bench
