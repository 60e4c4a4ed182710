// Worlds that have found something. A change of the workload makes other worlds of them; then they
// are random ones like any other.
#include "sim/scenarios.h"

namespace sim {

std::span<const KeptSeed> kept_seeds() {
  static constexpr KeptSeed seeds[] = {
      {4, "a sub-flow was asked for twice and the server ended"},
      {8, "a run that a timed-out task failed did not name that task"},
      {10, "a retry was forgotten when the clock was set back"},
      {11, "a sub-flow was asked for twice and the server ended"},
      {15, "a sub-flow was asked for twice and the server ended"},
      {107, "the clock was set back between the end of a delay and the next attempt"},
      {125, "a restart ended a sub-flow first and then took its new attempt for a lost one"},
      {319, "the clock was set back between a run's decision and its end"},
      {52168, "the clock was set back between the end of a hook and that of its run"},
      {1131, "two runs with one Idempotency-Key in one step, of which the first was refused"},
  };
  return seeds;
}

}  // namespace sim
