// What the outside does to a simulated server: flows, creations, commands, questions, each at its
// time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "sim/flows.h"
#include "sim/memory_store.h"

namespace sim {

struct PlannedAction {
  enum class Kind { create, rerun, cancel, pause, resume, watch, explain };
  Kind kind;
  std::string flow;                    // create
  std::string org = "org0";            // create
  int priority = 0;                    // create
  int key_variant = 0;                 // create: of the flow's concurrency key
  std::optional<std::string> key;      // create: an Idempotency-Key
  std::string body;                    // create: the hash of what is sent with the key
  std::optional<base::Duration> wait;  // create and watch
  std::size_t create = 0;              // the creation whose run is meant
  std::uint64_t drawn = 0;             // picks among live runs, or among what may be reused
  bool any_live_run = false;           // instead of the creation's: any that lives, children too
};

struct Workload {
  std::map<std::string, StoredFlow> flows;
  std::multimap<base::Duration, PlannedAction> actions;  // by time since the beginning
};

Workload random_workload(base::SeededRandom& random);

}  // namespace sim
