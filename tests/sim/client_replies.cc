// What clients are told, held against what is committed.
#include "sim/client.h"

namespace sim {

using base::ErrorCode;

void Client::answered(int number) {
  if (open_.erase(number) == 0) violate("command {} is answered twice", number);
}

void Client::created(int number, std::size_t index, const runtime::CreateRun& asked,
                     const base::Result<runtime::Created>& result) {
  answered(number);
  trace_("  create {}: {}", number,
         result ? to_string(result->run) + (result->existed ? " existed" : "")
                : result.error().message);
  if (!result || result->existed) waiting_.erase(number);  // only new runs are waited for
  if (!result) return check_refusal(number, asked, result.error());
  const store::IdempotencyRow* holder = asked.key ? store_.holder_of(*asked.key) : nullptr;
  if (!store_.has(result->run)) violate("create {}: its run is not in the store", number);
  if (holder && (holder->run != result->run || holder->body_hash != asked.key->body_hash))
    violate("create {}: its key belongs to another run or body", number);
  if (result->existed && !holder) violate("create {}: nothing has its key", number);
  if (!result->existed && !created_.insert(result->run).second)
    violate("create {}: {} is given to two", number, to_string(result->run));
  creates_[index] = result->run;
  acknowledged_.insert(result->run);
  if (auto found = waiting_.find(number); found != waiting_.end()) found->second.run = result->run;
}

void Client::check_refusal(int number, const runtime::CreateRun& asked,
                           const base::Error& error) const {
  const store::IdempotencyRow* holder = asked.key ? store_.holder_of(*asked.key) : nullptr;
  if (error.code == ErrorCode::unavailable && store_.failures() > failures_before_) return;
  if (error.code == ErrorCode::invalid) {
    if (holder == nullptr || holder->body_hash == asked.key->body_hash)
      violate("create {}: its key is refused without a reason", number);
    return;
  }
  const model::Plan& plan = *asked.plan;
  if (error.code != ErrorCode::conflict || !plan.concurrency_limit ||
      plan.concurrency_policy != model::ConcurrencyPolicy::skip)
    violate("create {}: is refused without a reason: {}", number, error.message);
  if (holder && holder->created_at != step_now_)  // else it may have come later in the step
    violate("create {}: its key has a run, and it is refused all the same", number);
  const std::string& key = asked.run.concurrency_key;
  auto before = keys_before_.find(key);
  auto runs = before == keys_before_.end() ? 0 : before->second;
  for (const auto& [id, live] : store_.live()) runs += live.row.concurrency_key == key;
  for (const auto& [id, row] : store_.finished())
    runs += ledger_.find(id)->row.concurrency_key == key && row.finished_at == step_now_;
  if (std::cmp_less(runs, *plan.concurrency_limit))
    violate("create {}: is skipped though its limit is not reached", number);
}

void Client::controlled(int number, RunId run, bool cancels, const base::Result<>& result) {
  answered(number);
  trace_("  command {} to {}: {}", number, to_string(run),
         result ? "done" : result.error().message);
  const Ledger::Run* ledger = ledger_.find(run);
  if (result) {
    if (!cancels) return;
    cancels_done_.insert(run);
    if (ledger->decided != RunStatus::cancelled)
      violate("cancel {} is done but not committed", number);
  } else if (result.error().code == ErrorCode::not_found) {
    if (store_.live().contains(run)) violate("command {}: not found, but it lives", number);
  } else if (result.error().code == ErrorCode::conflict) {
    if (cancels && !ledger->decided)
      violate("cancel {}: said to be final, but the store knows no end", number);
  } else if (store_.failures() == failures_before_) {
    violate("command {} is refused without a reason: {}", number, result.error().message);
  }
}

runtime::Waiter Client::waiter(int number) {
  return [=, this](const runtime::RunSnapshot* snapshot) {
    auto found = waiting_.find(number);
    if (found == waiting_.end()) violate("waiter {} is answered again, or for no run", number);
    Waiting waiting = found->second;
    waiting_.erase(found);
    trace_("  waiter {}: {}", number,
           snapshot ? base::name_of(snapshot->state.status) : "look into the store");
    if (!waiting.run) violate("waiter {} is answered before its run is created", number);
    const Ledger::Run* run = ledger_.find(*waiting.run);
    if (snapshot == nullptr) {
      if (store_.live().contains(*waiting.run) && !run->decided && clock_.now() < waiting.until &&
          store_.failures() == failures_before_)
        violate("waiter {} is sent away while its run goes on", number);
      return;
    }
    if (snapshot->run.id != *waiting.run) violate("waiter {} is answered with another run", number);
    if (model::is_final(snapshot->state.status) ? run->decided != snapshot->state.status
                                                : clock_.now() < waiting.until)
      violate("waiter {} is told what is not committed", number);
  };
}

// ---- why does it wait? ----

runtime::ExplainRun Client::explain(RunId run) {
  int number = ++numbers_;
  open_.insert(number);
  return {run, [=, this](base::Result<runtime::Explanation> result) {
            answered(number);
            explained(number, run, result);
          }};
}

void Client::explained(int number, RunId run,
                       const base::Result<runtime::Explanation>& result) const {
  if (!result) {
    if (result.error().code == ErrorCode::not_found && store_.live().contains(run))
      violate("explain {}: not found, but it lives", number);
    return;
  }
  if (result->status != ledger_.find(run)->folded.status)
    violate("explain {}: tells another status than is committed", number);
  for (const runtime::Reason& reason : result->reasons) {
    trace_("  {} waits: {} {} {}", to_string(run), base::name_of(reason.code),
           reason.task_run.value_or("as a whole"), reason.message);
    check_reason(run, reason);
  }
  if (result->reasons.empty() && must_be_explained(run))
    violate("explain {}: nothing is under way, and nothing is told", number);
}

void Client::check_reason(RunId id, const runtime::Reason& reason) const {
  using Code = runtime::Reason::Code;
  const Ledger::Run& run = *ledger_.find(id);
  for (const runtime::HolderOf& holder : reason.holders) {
    if (holder.is_other_organization) continue;
    const Ledger::Run* other = ledger_.find(holder.run);
    if (other == nullptr || other->row.org_id != run.row.org_id)
      violate("{} is told of another organization's run", to_string(id));
  }
  if (!reason.task_run && reason.code != Code::paused && reason.code != Code::concurrency_limit)
    violate("{} waits as a whole for what only tasks wait for", to_string(id));
  std::size_t live = 0;
  for (const auto& [other, row] : store_.live()) {
    const Ledger::Run& each = *ledger_.find(other);
    for (TaskIndex i = 0; i < each.tasks.size(); ++i)
      live += each.tasks[i].live && each.planned(i).type->needs_slot;
  }
  if (reason.code == Code::slot && (live < slots_ || reason.holders.empty()))
    violate("{} is said to wait for a slot, and one is free", to_string(id));
  if (reason.code == Code::concurrency_limit && reason.holders.empty())
    violate("{} is said to wait within a limit that nobody holds", to_string(id));
}

bool Client::must_be_explained(RunId id) const {
  const Ledger::Run& run = *ledger_.find(id);
  if (run.decided || executor_.is_computing(id)) return false;
  return std::none_of(run.tasks.begin(), run.tasks.end(),
                      [](const Ledger::Task& task) { return task.live; });
}

}  // namespace sim
