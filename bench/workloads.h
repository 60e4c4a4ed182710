// The workloads W1 to W5 of docs/speed.md.
#pragma once

#include <string>
#include <vector>

#include "server_process.h"

namespace bench {

struct Row {
  std::string work;
  std::string measured;
  std::string goal;
  double ratio;  // measured / goal, as time or cost: at most 1 reaches the goal
};

std::vector<Row> run_all(ServerProcess& server);

}  // namespace bench
