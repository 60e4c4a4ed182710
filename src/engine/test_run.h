// For tests: one run driven event by event on a virtual clock. A plan is written as text, "b < a c
// {"retries":2}; …": an id, '*' when it needs a slot, its parents, further members of its spec.
// After every event the facts so far, written and read back, must fold into the same state.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "engine/apply.h"
#include "model/test_catalog.h"

namespace engine {

inline std::string test_task(const std::string& text) {
  std::istringstream words(text.substr(0, text.find('{')));
  std::string id, parents, word;
  words >> id;
  bool needs_slot = id.ends_with('*');
  if (needs_slot) id.pop_back();
  words >> word;  // '<'
  while (words >> word) parents += (parents.empty() ? "\"" : ",\"") + word + '"';
  std::string more;
  if (std::size_t brace = text.find('{'); brace != text.npos)
    more = "," + text.substr(brace + 1, text.rfind('}') - brace - 1);
  return fmt::format(R"({{"id":"{}","type":"{}","config":{},"depends_on":[{}]{}}})", id,
                     needs_slot ? "process" : "instant", needs_slot ? R"({"command":"x"})" : "{}",
                     parents, more);
}

/// `flow` holds further members of the flow's spec, as `"fail_fast":false`.
inline std::shared_ptr<const model::Plan> test_plan(const std::string& tasks,
                                                    const std::string& flow = "") {
  std::string spec = "{\"name\":\"f\",\"tasks\":[";
  std::istringstream lines(tasks);
  for (std::string line; std::getline(lines, line, ';');)
    spec += (spec.ends_with('[') ? "" : ",") + test_task(line);
  spec += flow.empty() ? "]}" : "]," + flow + "}";
  auto plan = model::load_plan(spec, "1", model::test_catalog());
  if (!plan) throw std::invalid_argument(plan.error().message + " in " + spec);
  return *plan;
}

class TestRun {
 public:
  explicit TestRun(const std::string& tasks, const std::string& flow = "",
                   base::RunId id = base::RunId(1))
      : state(id, test_plan(tasks, flow)) {}

  /// Begins the run and gives its actions.
  std::string begin() { return apply(Begin{}); }
  std::string grant(const std::string& id) { return apply(SlotGranted{index(id)}); }
  /// The end of the task's present attempt, or of an earlier epoch.
  std::string succeed(const std::string& id, int epoch = 0, const std::string& output = "null") {
    return apply(
        AttemptReport{index(id), epoch_of(id, epoch), true, Value::inline_json(output), {}});
  }
  std::string fail(const std::string& id, const std::string& kind = "exit_code", int epoch = 0) {
    return apply(AttemptReport{index(id), epoch_of(id, epoch), false, {}, {kind, "it broke"}});
  }
  /// What the task's expressions gave.
  std::string decide(const std::string& id, Decided decided = {}) {
    return apply(Computed{index(id), std::move(decided)});
  }
  std::string skip_by_when(const std::string& id) {
    Decided decided;
    decided.runs = false;
    return decide(id, decided);
  }
  std::string expand(const std::string& id, std::uint32_t elements) {
    Decided decided;
    decided.elements = elements;
    return decide(id, decided);
  }
  /// The choice of a branch, or what a cache had.
  std::string choose(const std::string& id, const std::string& json) {
    Decided decided;
    decided.output = Value::inline_json(json);
    return decide(id, decided);
  }
  std::string gather(const std::string& id, const std::string& json = "[]") {
    return apply(Computed{index(id), Gathered{std::nullopt, Value::inline_json(json)}});
  }
  std::string pause() { return apply(PauseRequested{}); }
  std::string resume() { return apply(ResumeRequested{}); }
  std::string cancel() { return apply(CancelRequested{"enough"}); }
  std::string recover() {
    timers_.clear();
    return apply(Recovered{});
  }
  /// Lets time pass; timers fire when they are due, in order.
  std::string pass(double seconds) {
    base::Timestamp end = now + std::chrono::microseconds(std::int64_t(seconds * 1e6));
    std::string actions;
    while (!timers_.empty() && timers_.begin()->first <= end) {
      TimerFired timer = timers_.begin()->second;
      now = std::max(now, timers_.begin()->first);
      timers_.erase(timers_.begin());
      std::string more = apply(timer);
      actions += (actions.empty() || more.empty() ? "" : "; ") + more;
    }
    now = end;
    return actions;
  }

  /// Applies one event and gives its actions: "start a 1.1; stop b 2; slot c; withdraw c; decide d;
  /// gather e; announce; finish", an attempt as number.epoch, an element as "e:0". Timers are kept
  /// for pass().
  std::string apply(const Event& event) {
    Decision decision;
    engine::apply(state, event, now, decision);
    if (!decision.facts.empty()) append_facts(journal.emplace_back(), now, decision.facts);
    facts_last = decision.facts;
    check_fold();
    std::string out;
    for (const Action& action : decision.actions) {
      std::string text = describe(action);
      if (!text.empty()) out += (out.empty() ? "" : "; ") + text;
    }
    return out;
  }

  TaskState& task(const std::string& id) { return state.tasks[index(id)]; }
  /// "a SUCCEEDED, b PENDING".
  std::string statuses() const {
    std::string out;
    for (TaskIndex i = 0; i < state.tasks.size(); ++i)
      out += fmt::format("{}{} {}", i ? ", " : "", name(i), base::name_of(state.tasks[i].status));
    return out;
  }
  std::string status() const { return std::string(base::name_of(state.status)); }
  std::string name(TaskIndex i) const {
    std::string index = state.is_element(i) ? fmt::format(":{}", state.tasks[i].map_index) : "";
    return state.planned(i).id + index;
  }
  TaskIndex index(const std::string& id) const {
    for (TaskIndex i = 0; i < state.tasks.size(); ++i)
      if (name(i) == id) return i;
    throw std::invalid_argument("no task " + id);
  }
  /// Times from now at which timers are due, in seconds.
  std::vector<double> timers() const {
    std::vector<double> out;
    for (const auto& [at, timer] : timers_)
      out.push_back(std::chrono::duration<double>(at - now).count());
    return out;
  }

  RunState state;
  base::Timestamp now = *base::from_iso8601("2026-01-01T00:00:00Z");
  std::vector<std::string> journal;
  std::vector<Fact> facts_last;

 private:
  int epoch_of(const std::string& id, int epoch) { return epoch ? epoch : task(id).epoch; }

  std::string describe(const Action& action) {
    auto id = [&](TaskIndex i) { return name(i); };
    if (auto* a = std::get_if<RequestSlot>(&action)) return "slot " + id(a->task);
    if (auto* a = std::get_if<WithdrawSlot>(&action)) return "withdraw " + id(a->task);
    if (auto* a = std::get_if<Compute>(&action))
      return (a->what == Compute::What::decision ? "decide " : "gather ") + id(a->task);
    if (auto* a = std::get_if<StartAttempt>(&action))
      return fmt::format("start {} {}.{}", id(a->task), a->attempt, a->epoch);
    if (auto* a = std::get_if<StopAttempt>(&action))
      return fmt::format("stop {} {}", id(a->task), a->epoch);
    if (auto* a = std::get_if<SetTimer>(&action)) timers_.emplace(a->at, a->timer);
    if (std::holds_alternative<AnnounceRun>(action)) return "announce";
    return std::holds_alternative<FinishRun>(action) ? "finish" : "";
  }

  void check_fold() {
    RunState folded(state.id, state.plan);
    base::Result<> result = fold_rows(folded, journal);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(folded.tasks == state.tasks);
    EXPECT_EQ(folded.status, state.status);
    EXPECT_EQ(folded.failure, state.failure);
    EXPECT_EQ(folded.first_failed, state.first_failed);
    EXPECT_EQ(std::tie(folded.open, folded.open_hooks, folded.live, folded.active),
              std::tie(state.open, state.open_hooks, state.live, state.active));
    EXPECT_TRUE(folded.elements == state.elements);
    EXPECT_TRUE(folded.keys == state.keys);
    EXPECT_EQ(folded.children, state.children);
    EXPECT_TRUE(state.to_skip.empty() && state.to_skip_by_choice.empty());
    EXPECT_LE(state.active, state.plan->max_parallel);
  }

  std::multimap<base::Timestamp, TimerFired> timers_;
};

}  // namespace engine
