#include "sim/client.h"

namespace sim {

using runtime::Message;

std::optional<Message> Client::command(const PlannedAction& action) {
  using Kind = PlannedAction::Kind;
  if (action.kind == Kind::create) return create(action);
  if (action.create >= creates_.size() || !creates_[action.create]) return std::nullopt;
  RunId run = *creates_[action.create];
  if (action.kind == Kind::cancel) return cancel(run);
  return watch(run, *action.wait);
}

runtime::CreateRun Client::create(const PlannedAction& action) {
  int number = ++numbers_;
  open_.insert(number);
  runtime::CreateRun message;
  message.run.org_id = "org";
  message.run.flow_name = action.flow;
  message.run.flow_version = "1";
  message.plan = store_.flows.at(action.flow).plan;
  if (action.key)
    message.key = store::IdempotencyRow{"org", "me", "/runs", *action.key, action.body, {}, {}};
  std::size_t index = creates_.size();
  creates_.emplace_back();
  message.reply = [=, this, key = message.key](base::Result<runtime::Created> result) {
    created(number, index, key, result);
  };
  if (action.wait) {
    message.wait_until = clock_.now() + *action.wait;
    waiting_[number] = {std::nullopt, message.wait_until};
    message.waiter = waiter(number);
  }
  return message;
}

void Client::created(int number, std::size_t index, const std::optional<store::IdempotencyRow>& key,
                     const base::Result<runtime::Created>& result) {
  answered(number);
  trace_("  create {}: {}", number,
         result ? to_string(result->run) + (result->existed ? " existed" : "") : "refused");
  if (!result || result->existed) waiting_.erase(number);  // only new runs are waited for
  const store::IdempotencyRow* holder = key ? store_.holder_of(*key) : nullptr;
  if (!result && result.error().code == base::ErrorCode::invalid &&
      (holder == nullptr || holder->body_hash == key->body_hash))
    violate("create {}: its key is refused without a reason", number);
  if (!result) return;
  if (!store_.has(result->run)) violate("create {}: its run is not in the store", number);
  if (holder && (holder->run != result->run || holder->body_hash != key->body_hash))
    violate("create {}: its key belongs to another run or body", number);
  if (result->existed && !holder) violate("create {}: nothing has its key", number);
  if (!result->existed && !created_.insert(result->run).second)
    violate("create {}: {} is given to two", number, to_string(result->run));
  creates_[index] = result->run;
  acknowledged_.insert(result->run);
  if (auto found = waiting_.find(number); found != waiting_.end()) found->second.run = result->run;
}

runtime::ControlRun Client::cancel(RunId run) {
  int number = ++numbers_;
  open_.insert(number);
  cancels_asked_.insert(run);
  runtime::ControlRun message;
  message.run = run;
  message.event = engine::CancelRequested{"enough"};
  message.audit.audit_id = fmt::format("aud_{}", number);
  message.reply = [=, this](base::Result<> result) { cancelled(number, run, result); };
  return message;
}

void Client::cancelled(int number, RunId run, const base::Result<>& result) {
  answered(number);
  trace_("  cancel {} of {}: {}", number, to_string(run), result ? "done" : result.error().message);
  const Ledger::Run* ledger = ledger_.find(run);
  if (result) {
    cancels_done_.insert(run);
    if (ledger->decided != RunStatus::cancelled)
      violate("cancel {} is done but not committed", number);
  } else if (result.error().code == base::ErrorCode::not_found) {
    if (store_.live().contains(run)) violate("cancel {}: not found, but it lives", number);
  } else if (result.error().code == base::ErrorCode::conflict) {
    if (!ledger->decided)
      violate("cancel {}: said to be final, but the store knows no end", number);
  }
}

runtime::WatchRun Client::watch(RunId run, base::Duration wait) {
  int number = ++numbers_;
  waiting_[number] = {run, clock_.now() + wait};
  return {run, waiter(number), clock_.now() + wait};
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

void Client::answered(int number) {
  if (open_.erase(number) == 0) violate("command {} is answered twice", number);
}

void Client::forget_unanswered() {
  open_.clear();
  waiting_.clear();
}

void Client::check_answered() const {
  if (!open_.empty()) violate("command {} is not answered", *open_.begin());
}

void Client::check_waiters() const {
  for (const auto& [number, waiting] : waiting_) {
    if (clock_.now() >= waiting.until) violate("waiter {} waits too long", number);
    if (waiting.run && ledger_.find(*waiting.run)->decided)
      violate("waiter {} waits for a run that is decided", number);
  }
}

void Client::check_end() const {
  check_answered();
  if (!waiting_.empty()) violate("waiter {} is never answered", waiting_.begin()->first);
  for (RunId run : acknowledged_)
    if (!store_.finished().contains(run)) violate("{} was acknowledged and lost", to_string(run));
  for (RunId run : cancels_done_)
    if (store_.finished().at(run).status != RunStatus::cancelled)
      violate("{} was cancelled but did not end so", to_string(run));
}

}  // namespace sim
