// When a task runs, given how its parents ended: the truth table of the trigger rules.
#pragma once

#include <cstdint>

#include "model/flow_spec.h"

namespace engine {

/// Ends of a task's parents, counted. A parent whose edge was not taken by a branch counts as
/// skipped by choice, whatever its own end.
struct ParentEnds {
  std::uint32_t succeeded = 0;
  std::uint32_t failed = 0;  // failed or timed out
  std::uint32_t chosen = 0;  // skipped by choice, or only reachable through such a task
  std::uint32_t unmet = 0;   // skipped or cancelled because something else failed
  bool operator==(const ParentEnds&) const = default;
};

enum class Verdict {
  run,
  skip_by_choice,
  skip,  // because something failed
};

/// Asked when all parents have ended.
///
/// | rule        | runs when                                              | else                 |
/// |-------------|--------------------------------------------------------|----------------------|
/// | all_success | none failed or unmet, one succeeded; or no parents     | skip if any failed or
/// unmet, else by choice | | none_failed | none failed or unmet                                   |
/// skip                 | | all_done    | always                                                 |
/// | | one_success | one succeeded                                          | as all_success | |
/// one_failed  | one failed                                             | by choice            |
constexpr Verdict verdict(model::TriggerRule rule, const ParentEnds& ends) {
  const bool has_parents = ends.succeeded + ends.failed + ends.chosen + ends.unmet > 0;
  const bool went_wrong = ends.failed + ends.unmet > 0;
  const Verdict otherwise = went_wrong ? Verdict::skip : Verdict::skip_by_choice;
  switch (rule) {
    case model::TriggerRule::all_success:
      if (!has_parents || (!went_wrong && ends.succeeded > 0)) return Verdict::run;
      return otherwise;
    case model::TriggerRule::none_failed:
      return went_wrong ? Verdict::skip : Verdict::run;
    case model::TriggerRule::all_done:
      return Verdict::run;
    case model::TriggerRule::one_success:
      return ends.succeeded > 0 ? Verdict::run : otherwise;
    case model::TriggerRule::one_failed:
      return ends.failed > 0 ? Verdict::run : Verdict::skip_by_choice;
  }
  return Verdict::skip;
}

/// Still satisfiable when a task has failed: fail_fast spares it.
constexpr bool handles_failure(model::TriggerRule rule) {
  return rule == model::TriggerRule::one_failed || rule == model::TriggerRule::all_done;
}

}  // namespace engine
