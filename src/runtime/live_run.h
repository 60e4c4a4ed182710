// A run that lives in a shard, with what the step under way makes of it.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "engine/admission.h"
#include "engine/apply.h"
#include "runtime/events.h"

namespace runtime {

struct LiveRun {
  LiveRun(store::LiveRunRow row_of_run, std::shared_ptr<const model::Plan> plan)
      : row(std::move(row_of_run)), state(row.id, std::move(plan)) {}

  store::LiveRunRow row;
  engine::RunState state;
  std::int64_t seq = 0;  // of the last commit that was the run's
  std::int64_t journal_rows = 0;
  bool had_approvals = false;  // rows of it may stand in the store
  std::vector<std::pair<base::Timestamp, Waiter>> waiters;

  // The present step's part.
  bool touched = false;
  bool finish = false;
  bool created = false;
  std::optional<store::IdempotencyRow> key;
  CreateReply reply;
  engine::Decision decision;
  std::size_t actions_taken = 0;
  std::vector<store::LogChunkRow> chunks;
  std::vector<store::ApprovalRow> approvals_opened;
  std::vector<model::TaskIndex> approvals_closed;
  std::vector<store::CachedRow> cached;

  void begin_step() {
    touched = finish = created = false;
    key.reset();
    reply = nullptr;
    decision.facts.clear();
    decision.actions.clear();
    actions_taken = 0;
    chunks.clear();
    approvals_opened.clear();
    approvals_closed.clear();
    cached.clear();
  }

  /// Waits for admission before it starts, or while it runs.
  bool needs_admission(model::TaskIndex task) const {
    return state.planned(task).type->needs_slot || !concurrency_key_of(task).empty();
  }
  std::string concurrency_key_of(model::TaskIndex task) const {
    auto keys = state.keys.find(task);
    return keys == state.keys.end() ? "" : keys->second.concurrency;
  }
  engine::Admission::Request request_for(model::TaskIndex task) const {
    const model::PlannedTask& planned = state.planned(task);
    return {{row.id, task},
            row.org_id,
            row.priority,
            planned.priority,
            planned.type->needs_slot,
            concurrency_key_of(task),
            planned.concurrency_limit.value_or(0),
            state.tasks[task].queued_at.value_or(base::Timestamp{})};
  }
  /// The request of a run whose flow has a concurrency limit.
  engine::Admission::Request request_for_run() const {
    return {{row.id, engine::Admission::whole_run},
            row.org_id,
            row.priority,
            0,
            /*needs_slot=*/false,
            row.concurrency_key,
            state.plan->concurrency_limit.value_or(0),
            row.created_at};
  }
  /// `<task id>[:<map index>]`.
  std::string name_of(model::TaskIndex task) const {
    return model::task_run_name(state.planned(task).id, state.tasks[task].map_index);
  }
};

}  // namespace runtime
