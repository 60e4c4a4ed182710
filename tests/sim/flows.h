// Random flows with everything the language has.
#pragma once

#include <string>

#include "base/random.h"
#include "sim/memory_store.h"

namespace sim {

/// How much of each a world has, in percent; so that some worlds are full of one thing.
struct Taste {
  int process = 40, branch = 5, delay = 5, approval = 5, subflow = 8;
  int rule = 30, when = 12, map = 10, repeat = 8, cache = 10, task_limit = 20, priority = 20;
  int hooks = 20, flow_limit = 20, timeout = 25, retries = 40;
};
Taste random_taste(base::SeededRandom& random);

StoredFlow make_flow(const std::string& name, std::string spec);
/// A random DAG of up to 12 tasks, sometimes a wide one.
std::string random_spec(const std::string& name, const Taste& taste, base::SeededRandom& random);

}  // namespace sim
