// What the outside does to a simulated server: flows, creations, cancels, waits, each at its time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "sim/memory_store.h"

namespace sim {

struct PlannedAction {
  enum class Kind { create, cancel, watch };
  Kind kind;
  std::string flow;                    // create
  std::optional<std::string> key;      // create: an Idempotency-Key
  std::string body;                    // create: the hash of what is sent with the key
  std::optional<base::Duration> wait;  // create and watch
  std::size_t create = 0;              // cancel and watch: the creation whose run is meant
};

struct Workload {
  std::map<std::string, StoredFlow> flows;
  std::multimap<base::Duration, PlannedAction> actions;  // by time since the beginning
};

StoredFlow make_flow(const std::string& name, std::string spec);
/// A random DAG of up to 12 tasks, sometimes a wide one, with every setting the engine knows.
std::string random_spec(const std::string& name, base::SeededRandom& random);
Workload random_workload(base::SeededRandom& random);

}  // namespace sim
