#include "sim/client.h"

namespace sim {

using runtime::Message;
using Kind = PlannedAction::Kind;

// ---- commands ----

std::optional<RunId> Client::target(const PlannedAction& action) const {
  if (action.any_live_run && !store_.live().empty())
    return std::next(store_.live().begin(), std::ptrdiff_t(action.drawn % store_.live().size()))
        ->first;
  if (action.create >= creates_.size()) return std::nullopt;
  return creates_[action.create];
}

std::optional<Message> Client::command(const PlannedAction& action) {
  if (action.kind == Kind::create) return create(action, {});
  std::optional<RunId> run = target(action);
  if (!run) return std::nullopt;
  switch (action.kind) {
    case Kind::rerun:
      return rerun(action, *run);
    case Kind::cancel:
      cancels_asked_.insert(*run);
      return control(*run, engine::CancelRequested{"enough"}, "cancel");
    case Kind::pause:
      return control(*run, engine::PauseRequested{}, "pause");
    case Kind::resume:
      return control(*run, engine::ResumeRequested{}, "resume");
    case Kind::explain:
      return explain(*run);
    default:
      return watch(*run, *action.wait);
  }
}

Message Client::create(const PlannedAction& action, runtime::CreateRun message) {
  int number = ++numbers_;
  open_.insert(number);
  const StoredFlow& flow = store_.flows.at(action.flow);
  message.run.org_id = action.org;
  message.run.flow_name = action.flow;
  message.run.flow_version = "1";
  message.run.priority = action.priority;
  message.run.concurrency_key = Script::run_key(action.org, *flow.plan, action.key_variant);
  message.plan = flow.plan;
  if (action.key)
    message.key =
        store::IdempotencyRow{action.org, "me", "/runs", *action.key, action.body, {}, {}};
  std::size_t index = creates_.size();
  creates_.emplace_back();
  if (action.wait) {
    message.wait_until = clock_.now() + *action.wait;
    waiting_[number] = {std::nullopt, message.wait_until};
    message.waiter = waiter(number);
  }
  runtime::CreateRun asked;
  asked.run = message.run;
  asked.plan = message.plan;
  asked.key = message.key;
  message.reply = [=, this](base::Result<runtime::Created> result) {
    created(number, index, asked, result);
  };
  return message;
}

// A new run with the outputs of tasks that succeeded: all of them, or some of which the parents are
// among them too.
std::optional<Message> Client::rerun(const PlannedAction& action, RunId earlier) {
  const Ledger::Run* run = ledger_.find(earlier);
  if (!run->finished || run->records.empty()) return std::nullopt;
  const model::Plan& plan = run->plan();
  runtime::CreateRun message;
  std::vector<bool> taken(plan.tasks.size());
  for (TaskIndex i = 0; i < plan.tasks.size(); ++i) {
    const auto& parents = plan.tasks[i].parents;
    bool follows =
        std::all_of(parents.begin(), parents.end(), [&](TaskIndex p) { return taken[p]; });
    bool all = action.drawn % 2 == 0;
    taken[i] = run->records[i].status == TaskStatus::succeeded && !plan.tasks[i].hook &&
               (all || (follows && (action.drawn >> (8 + i % 50) & 1)));
    if (taken[i]) message.reused.emplace_back(i, *run->records[i].output);
  }
  message.run.rerun_of = earlier;
  message.run.trigger_type = "rerun";
  PlannedAction create_action{.kind = Kind::create};
  create_action.flow = run->row.flow_name;
  create_action.org = run->row.org_id;
  return create(create_action, std::move(message));
}

runtime::ControlRun Client::control(RunId run, engine::Event event, const char* what) {
  int number = ++numbers_;
  open_.insert(number);
  trace_("  {} asks to {} {}", number, what, to_string(run));
  bool cancels = std::holds_alternative<engine::CancelRequested>(event);
  runtime::ControlRun message;
  message.run = run;
  message.event = std::move(event);
  message.audit.audit_id = fmt::format("aud_{}", number);
  message.reply = [=, this](base::Result<> result) { controlled(number, run, cancels, result); };
  return message;
}

runtime::WatchRun Client::watch(RunId run, base::Duration wait) {
  int number = ++numbers_;
  waiting_[number] = {run, clock_.now() + wait};
  return {run, waiter(number), clock_.now() + wait};
}

// ---- people ----

// Some answer at once, some late, some twice and differently, some never if there is a deadline.
void Client::look_at_approvals() {
  for (const auto& [key, row] : store_.approvals()) {
    if (!approvals_seen_.insert(key).second) continue;
    auto answer_within = [&](int milliseconds, bool approves) {
      auto delay = std::chrono::milliseconds(random_.below(std::uint64_t(milliseconds)));
      intents_.emplace(clock_.time + delay, Intent{key.first, key.second, approves});
    };
    std::uint64_t drawn = random_.below(10);
    if (drawn == 0 && row.deadline) continue;
    if (drawn < 6) answer_within(20'000, drawn < 4);
    if (drawn >= 6 && drawn < 8) answer_within(86'400'000, drawn < 7);
    if (drawn < 8) continue;
    answer_within(5'000, true);
    answer_within(5'000, false);
  }
}

runtime::ControlRun Client::answer(const Intent& intent) {
  ++answered_approvals_;
  std::string text = fmt::format("\"answer {}\"", ++numbers_);
  ledger_.add_answer(intent.run, intent.task, {intent.approves, text});
  engine::ApprovalDecided decision{intent.task, intent.approves, {}, text};
  if (intent.approves) decision.output = model::Value::inline_json(text);
  return control(intent.run, std::move(decision), "answer an approval of");
}

std::optional<base::Timestamp> Client::next_answer() const {
  if (intents_.empty()) return std::nullopt;
  return intents_.begin()->first;
}

void Client::take_answers(std::vector<Message>& messages) {
  while (!intents_.empty() && intents_.begin()->first <= clock_.time) {
    Intent intent = intents_.begin()->second;
    intents_.erase(intents_.begin());
    messages.push_back(answer(intent));
  }
}

// It waits within a limit, itself or a task of it, or for a run that it has started.
bool Client::waits_in_vain(const Ledger::Run& run) const {
  if (!run.started_at && !run.decided) return !run.row.concurrency_key.empty();
  for (const Ledger::Task& task : run.tasks) {
    if (task.queued && !task.key.empty()) return true;
    if (task.live && task.child && store_.live().contains(*task.child)) return true;
  }
  return false;
}

std::vector<Message> Client::rescue() {
  std::vector<Message> messages;
  for (const auto& [id, live] : store_.live())
    if (ledger_.find(id)->paused)
      messages.push_back(control(id, engine::ResumeRequested{}, "resume at last"));
  for (const auto& [key, row] : store_.approvals())
    messages.push_back(answer({key.first, key.second, true}));
  if (!messages.empty() || store_.live().empty()) return messages;
  for (const auto& [id, live] : store_.live())
    if (!waits_in_vain(*ledger_.find(id))) return {};
  RunId oldest = store_.live().begin()->first;
  cancels_asked_.insert(oldest);
  messages.push_back(control(oldest, engine::CancelRequested{"enough"}, "give up"));
  return messages;
}

// ---- what holds at the end ----

void Client::begin_step() {
  failures_before_ = store_.failures();
  step_now_ = clock_.now();
  keys_before_.clear();
  for (const auto& [id, live] : store_.live()) ++keys_before_[live.row.concurrency_key];
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
