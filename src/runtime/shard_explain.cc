// "Why is this not running?", answered from the state that decides it.
#include <fmt/format.h>

#include <array>

#include "base/limits.h"
#include "runtime/shard.h"

namespace runtime {

using engine::Admission;
using model::RunStatus;
using model::TaskIndex;
using model::TaskStatus;
using Code = Reason::Code;

std::span<const base::EnumName> enum_names(Code) {
  static constexpr auto names =
      std::to_array<base::EnumName>({{int(Code::paused), "paused"},
                                     {int(Code::concurrency_limit), "concurrency_limit"},
                                     {int(Code::slot), "slot"},
                                     {int(Code::max_parallel), "max_parallel"},
                                     {int(Code::upstream), "upstream"},
                                     {int(Code::evaluating), "evaluating"},
                                     {int(Code::retry), "retry"},
                                     {int(Code::delay), "delay"},
                                     {int(Code::approval), "approval"},
                                     {int(Code::subflow), "subflow"},
                                     {int(Code::stopping), "stopping"}});
  return names;
}

Explanation Shard::explain(const LiveRun& run) const {
  Explanation out{run.state.status, {}, false};
  if (run.state.is_paused()) {
    out.reasons.push_back({Code::paused, {}, "the run is paused; nothing new starts", {}, {}, {}});
  } else if (!run.state.started_at && !model::is_final(run.state.status)) {
    out.reasons.push_back(explain_run_place(run));
    return out;
  }
  for (TaskIndex i = 0; i < run.state.tasks.size(); ++i) {
    std::optional<Reason> reason = explain_task(run, i);
    if (!reason) continue;
    if (out.reasons.size() == base::limits::explained_tasks_max) {
      out.is_cut = true;
      break;
    }
    out.reasons.push_back(std::move(*reason));
  }
  return out;
}

Reason Shard::explain_run_place(const LiveRun& run) const {
  return {Code::concurrency_limit,
          {},
          fmt::format("the flow allows {} runs at a time within its concurrency key",
                      run.state.plan->concurrency_limit.value_or(0)),
          run.row.created_at,
          {},
          holders(run, admission_.key_holders(run.row.concurrency_key))};
}

// Nothing for a task run that has ended, is under way, or is a hook whose time has not come.
std::optional<Reason> Shard::explain_task(const LiveRun& run, TaskIndex i) const {
  const engine::TaskState& task = run.state.tasks[i];
  Reason reason{Code::upstream, run.name_of(i), "", {}, {}, {}};
  if (task.stopping) {
    reason.code = Code::stopping;
    reason.message = "its attempt is being ended";
    return reason;
  }
  bool comes_later = run.state.is_hook(i) && !model::is_final(run.state.status);
  if (model::is_final(task.status) || comes_later) return std::nullopt;
  switch (task.status) {
    case TaskStatus::pending:
      return explain_pending(run, i, std::move(reason));
    case TaskStatus::queued:
      return explain_queued(run, i, std::move(reason));
    case TaskStatus::waiting:
      return explain_waiting(run, i, std::move(reason));
    case TaskStatus::retrying:
      reason.code = Code::retry;
      reason.message = fmt::format("attempt {} failed ({}); the next one follows", task.attempt,
                                   task.failure->kind);
      reason.since = task.earlier.back().ended_at;
      reason.until = task.wake_at;
      return reason;
    default:
      return std::nullopt;
  }
}

Reason Shard::explain_pending(const LiveRun& run, TaskIndex i, Reason reason) const {
  const engine::TaskState& task = run.state.tasks[i];
  const model::PlannedTask& planned = run.state.planned(i);
  if (task.parents_open > 0) {
    constexpr int named_max = 10;
    int named = 0;
    for (TaskIndex parent : planned.parents) {
      if (model::is_final(run.state.tasks[parent].status) || ++named > named_max) continue;
      reason.message += (reason.message.empty() ? "" : ", ") + run.state.planned(parent).id;
    }
    reason.message = fmt::format("{} of its parents have not ended: {}{}", task.parents_open,
                                 reason.message, named > named_max ? ", …" : "");
    return reason;
  }
  if (run.state.is_element(i)) {
    const engine::Elements& elements = run.state.elements.at(task.planned);
    if (i >= elements.first + elements.fed) {
      reason.code = Code::max_parallel;
      reason.message =
          fmt::format("{} elements of its task may run at a time", planned.elements_parallel_max);
      return reason;
    }
  }
  if (run.state.active >= run.state.plan->max_parallel) {
    reason.code = Code::max_parallel;
    reason.message = fmt::format("{} tasks of the run may run at a time", run.state.active);
    return reason;
  }
  reason.code = run.state.is_paused() ? Code::paused : Code::evaluating;
  reason.message = run.state.is_paused() ? "the run is paused" : "its expressions are evaluated";
  return reason;
}

Reason Shard::explain_queued(const LiveRun& run, TaskIndex i, Reason reason) const {
  reason.since = run.state.tasks[i].queued_at;
  const Admission::Request* request = admission_.waiting_request({run.row.id, i});
  if (request == nullptr) {
    reason.code = Code::paused;
    reason.message = "the run is paused";
    return reason;
  }
  std::vector<Admission::Place> of_key = admission_.key_holders(request->key);
  if (!request->key.empty() && of_key.size() >= request->limit) {
    reason.code = Code::concurrency_limit;
    reason.message = fmt::format(
        "{} attempts of the task may run at a time within its "
        "concurrency key",
        request->limit);
    reason.holders = holders(run, of_key);
    return reason;
  }
  reason.code = Code::slot;
  reason.message = holding_starts_
                       ? "the server is stopping; it goes on after the restart"
                       : fmt::format("all {} slots of the machine are taken", admission_.slots());
  reason.holders = holders(run, admission_.slot_holders());
  return reason;
}

Reason Shard::explain_waiting(const LiveRun& run, TaskIndex i, Reason reason) const {
  const engine::TaskState& task = run.state.tasks[i];
  reason.since = task.live ? task.attempt_started_at : task.queued_at;
  reason.until = task.wake_at;
  if (std::optional<base::RunId> child = run.state.live_child_of(i)) {
    reason.code = Code::subflow;
    reason.message = fmt::format("{} has not ended", to_string(*child));
    reason.holders.push_back({false, *child, {}, reason.since});
  } else if (run.state.planned(i).type->kind == model::NodeKind::approval) {
    reason.code = Code::approval;
    reason.message = "a person has not decided yet";
  } else {
    reason.code = Code::delay;
    reason.message = "its time has not come";
  }
  return reason;
}

std::vector<HolderOf> Shard::holders(const LiveRun& asking,
                                     const std::vector<Admission::Place>& places) const {
  std::vector<HolderOf> out;
  for (const Admission::Place& place : places) {
    if (out.size() == base::limits::explained_holders_max) break;
    const LiveRun& run = *runs_.at(place.run);
    if (run.row.org_id != asking.row.org_id) {
      out.push_back({true, {}, {}, {}});
    } else if (place.task == Admission::whole_run) {
      out.push_back({false, place.run, {}, run.state.started_at});
    } else {
      out.push_back({false, place.run, run.name_of(place.task),
                     run.state.tasks[place.task].attempt_started_at});
    }
  }
  return out;
}

}  // namespace runtime
