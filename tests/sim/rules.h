// The rules of the language as engine.md states them, written down a second time: what a task is to
// do once its parents have ended. Nothing here is the engine's.
#pragma once

#include <algorithm>
#include <string>

#include "model/plan.h"

namespace sim {

/// Ends of a task's parents, one letter each: S succeeded, F failed or timed out, C skipped by
/// choice, U skipped or cancelled because something else failed.
inline char end_letter(model::TaskStatus status, bool by_choice) {
  switch (status) {
    case model::TaskStatus::succeeded:
      return 'S';
    case model::TaskStatus::failed:
    case model::TaskStatus::timed_out:
      return 'F';
    case model::TaskStatus::skipped:
      return by_choice ? 'C' : 'U';
    case model::TaskStatus::cancelled:
      return 'U';
    default:
      return '?';
  }
}

/// The edge from a branch is taken when the branch chose its label; any other edge always is.
inline bool is_taken(const model::Plan& plan, model::TaskIndex parent, model::TaskIndex child,
                     const std::string& output) {
  for (const model::PlannedChild& edge : plan.tasks[parent].children)
    if (edge.task == child) return edge.label_json.empty() || edge.label_json == output;
  return true;
}

/// 'R' runs, 'C' is skipped by choice, 'U' is skipped because something failed.
inline char wanted(model::TriggerRule rule, const std::string& ends) {
  auto any = [&](char end) { return ends.find(end) != ends.npos; };
  using Rule = model::TriggerRule;
  const char skipped = any('F') || any('U') ? 'U' : 'C';
  switch (rule) {
    case Rule::all_success:
      if (ends.empty()) return 'R';
      return !any('F') && !any('U') && any('S') ? 'R' : skipped;
    case Rule::none_failed:
      return any('F') || any('U') ? 'U' : 'R';
    case Rule::all_done:
      return 'R';
    case Rule::one_success:
      return any('S') ? 'R' : skipped;
    case Rule::one_failed:
      return any('F') ? 'R' : 'C';
  }
  return '?';
}

/// A task that fail_fast leaves alone: a failure can still make it run.
inline bool is_spared(model::TriggerRule rule) {
  return rule == model::TriggerRule::one_failed || rule == model::TriggerRule::all_done;
}

/// Whether a failure of this kind is tried again at all.
inline bool is_retryable(const model::PlannedTask& planned, const std::string& kind) {
  if (kind == "expression" || kind == "invalid_config" || kind == "max_iterations") return false;
  if (!planned.retry_on) return true;
  return std::count(planned.retry_on->begin(), planned.retry_on->end(), kind) > 0;
}

inline bool is_hook_of(const model::PlannedTask& planned, model::RunStatus status) {
  using model::Hook;
  using model::RunStatus;
  if (!planned.hook) return false;
  return (*planned.hook == Hook::on_success && status == RunStatus::succeeded) ||
         (*planned.hook == Hook::on_failure && status == RunStatus::failed) ||
         (*planned.hook == Hook::on_cancel && status == RunStatus::cancelled);
}

}  // namespace sim
