// The truth table of the trigger rules, over every combination of how parents can end: first the
// table itself against the words of the specification, then whole runs.
#include "engine/trigger_rule.h"

#include <set>

#include "engine/test_run.h"

namespace engine {
namespace {

using model::TriggerRule;

constexpr auto rules = {TriggerRule::all_success, TriggerRule::none_failed, TriggerRule::all_done,
                        TriggerRule::one_success, TriggerRule::one_failed};

// Ends of parents: S succeeded, F failed or timed out, C skipped by choice, U unmet.
ParentEnds count(const std::string& ends) {
  auto of = [&](char end) { return std::uint32_t(std::count(ends.begin(), ends.end(), end)); };
  return {of('S'), of('F'), of('C'), of('U')};
}

// Every word over SFCU of up to `length` letters.
std::vector<std::string> all_ends(std::size_t length) {
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i].size() < length)
      for (char end : {'S', 'F', 'C', 'U'}) words.push_back(words[i] + end);
  return words;
}

// The specification's table in its own words: R runs, U is skipped because something failed, C by
// choice.
char expected(TriggerRule rule, const std::string& ends) {
  auto any = [&](char end) { return ends.find(end) != std::string::npos; };
  char u_if_any_f_or_u_else_c = any('F') || any('U') ? 'U' : 'C';
  switch (rule) {
    case TriggerRule::all_success:
      if (ends.empty()) return 'R';
      return !any('F') && !any('U') && any('S') ? 'R' : u_if_any_f_or_u_else_c;
    case TriggerRule::none_failed:
      return !any('F') && !any('U') ? 'R' : 'U';
    case TriggerRule::all_done:
      return 'R';
    case TriggerRule::one_success:
      return any('S') ? 'R' : u_if_any_f_or_u_else_c;
    case TriggerRule::one_failed:
      return any('F') ? 'R' : 'C';
  }
  return '?';
}

TEST(TriggerRule, TheTableHoldsForUpToFourParents) {
  for (TriggerRule rule : rules)
    for (const std::string& ends : all_ends(4)) {
      Verdict given = verdict(rule, count(ends));
      char letter = given == Verdict::run ? 'R' : given == Verdict::skip ? 'U' : 'C';
      EXPECT_EQ(letter, expected(rule, ends)) << base::name_of(rule) << " after '" << ends << "'";
    }
}

// A run in which the parents of `x` end as `ends` says, without fail_fast. A parent that is to be
// unmet stands behind a task that failed.
std::string plan_of(TriggerRule rule, const std::string& ends) {
  std::string plan, parents;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] == 'U') plan += fmt::format("q{}; p{} < q{};", i, i, i);
    if (ends[i] == 'C') plan += fmt::format("p{} {{\"when\":\"false\"}};", i);
    if (ends[i] == 'S' || ends[i] == 'F') plan += fmt::format("p{};", i);
    parents += fmt::format(" p{}", i);
  }
  return plan + "x <" + parents + fmt::format(" {{\"trigger_rule\":\"{}\"}}", base::name_of(rule));
}

// Lets every parent end, in the order of `order`.
void end_parents(TestRun& run, const std::string& ends, const std::vector<std::size_t>& order) {
  for (std::size_t i : order) {
    std::string parent = fmt::format("p{}", i);
    if (ends[i] == 'S') run.succeed(parent);
    if (ends[i] == 'F') run.fail(parent);
    if (ends[i] == 'C') run.skip_by_when(parent);
    if (ends[i] == 'U') run.fail(fmt::format("q{}", i));
  }
}

TEST(TriggerRule, RunsFollowTheTableWhateverTheOrderOfEnds) {
  for (TriggerRule rule : rules)
    for (const std::string& ends : all_ends(3)) {
      if (ends.empty()) continue;
      std::vector<std::size_t> order(ends.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      do {
        TestRun run(plan_of(rule, ends), "\"fail_fast\":false");
        run.begin();
        end_parents(run, ends, order);
        const TaskState& x = run.task("x");
        char letter = x.status == TaskStatus::running ? 'R' : x.by_choice ? 'C' : 'U';
        EXPECT_EQ(letter, expected(rule, ends)) << base::name_of(rule) << " after " << ends;
        if (letter == 'R') run.succeed("x");
        bool failed = ends.find_first_of("FU") != std::string::npos;
        EXPECT_EQ(run.status(), failed ? "FAILED" : "SUCCEEDED") << ends;
      } while (std::next_permutation(order.begin(), order.end()));
    }
}

// Under fail_fast a failure cancels every task but those whose rule may still be met by it.
TEST(TriggerRule, FailFastSparesThoseThatHandleFailures) {
  for (TriggerRule rule : rules)
    for (const std::string& ends : all_ends(3)) {
      if (ends.find('F') == std::string::npos || ends.find('U') != std::string::npos) continue;
      std::vector<std::size_t> order;  // failures last: what else ends has ended by itself
      for (std::size_t i = 0; i < ends.size(); ++i)
        if (ends[i] != 'F') order.push_back(i);
      std::size_t failures_from = order.size();
      for (std::size_t i = 0; i < ends.size(); ++i)
        if (ends[i] == 'F') order.push_back(i);
      order.resize(failures_from + 1);  // the first failure cancels the others
      TestRun run(plan_of(rule, ends));
      run.begin();
      end_parents(run, ends, order);
      for (std::size_t i = 0; i < ends.size(); ++i)
        if (run.task(fmt::format("p{}", i)).stopping) run.fail(fmt::format("p{}", i));
      TaskStatus status = run.task("x").status;
      bool handles = rule == TriggerRule::one_failed || rule == TriggerRule::all_done;
      EXPECT_EQ(status, handles ? TaskStatus::running : TaskStatus::cancelled)
          << base::name_of(rule) << " after " << ends;
      if (handles) run.succeed("x");
      EXPECT_EQ(run.status(), "FAILED") << "a failure that was handled still fails the run";
    }
}

}  // namespace
}  // namespace engine
