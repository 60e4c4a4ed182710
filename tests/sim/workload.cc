#include "sim/workload.h"

#include "model/test_catalog.h"

namespace sim {

namespace {

bool chance(base::SeededRandom& random, int percent) {
  return random.below(100) < std::uint64_t(percent);
}

std::string id_list(const std::vector<int>& ids) {
  std::string list;
  for (int id : ids) list += fmt::format("{}\"t{}\"", list.empty() ? "" : ",", id);
  return list;
}

std::vector<int> random_parents(int task, int percent, base::SeededRandom& random) {
  std::vector<int> parents;
  for (int i = 0; i < task; ++i)
    if (chance(random, percent)) parents.push_back(i);
  return parents;
}

std::string random_retries(base::SeededRandom& random) {
  std::string out = fmt::format(",\"retries\":{}", 1 + random.below(3));
  switch (random.below(4)) {
    case 0:
      break;
    case 1:
      out += ",\"retry_delay_seconds\":0.5";
      break;
    case 2:
      out += ",\"retry_delay_seconds\":[0.1,0,2]";
      break;
    default:
      out += ",\"retry_delay_seconds\":1,\"retry_jitter_factor\":0.5";
  }
  if (chance(random, 20)) out += ",\"retry_on\":[\"exit_code\",\"timeout\"]";
  return out;
}

std::string random_task(int task, const std::vector<int>& parents, base::SeededRandom& random) {
  std::string out = fmt::format("{{\"id\":\"t{}\"", task);
  out +=
      chance(random, 60) ? R"(,"type":"process","config":{"command":"x"})" : R"(,"type":"instant")";
  out += fmt::format(",\"depends_on\":[{}]", id_list(parents));
  if (!parents.empty() && chance(random, 50))
    out += fmt::format(",\"inputs\":{{\"all\":{{\"tasks\":[{}]}},\"one\":{{\"task\":\"t{}\"}}}}",
                       id_list(parents), parents.back());
  if (chance(random, 40)) out += random_retries(random);
  if (chance(random, 25))
    out += fmt::format(",\"timeout_seconds\":{}", 0.05 * double(1 + random.below(40)));
  return out + "}";
}

std::string random_flow_members(base::SeededRandom& random) {
  std::string out;
  if (chance(random, 50)) out += ",\"fail_fast\":false";
  if (chance(random, 40)) out += fmt::format(",\"max_parallel\":{}", 1 + random.below(4));
  if (chance(random, 15)) out += fmt::format(",\"timeout_seconds\":{}", 1 + random.below(20));
  return out;
}

}  // namespace

StoredFlow make_flow(const std::string& name, std::string spec) {
  auto plan = model::load_plan(spec, "1", model::test_catalog());
  if (!plan) violate("flow {}: {}", name, plan.error().message);
  return {std::move(spec), *plan};
}

std::string random_spec(const std::string& name, base::SeededRandom& random) {
  bool wide = chance(random, 4);
  int tasks = wide ? 30 + int(random.below(90)) : 1 + int(random.below(12));
  int density = 10 + int(random.below(50));
  std::string out;
  for (int i = 0; i < tasks; ++i) {
    std::vector<int> parents = random_parents(i, density, random);
    if (wide) parents = i == 0 ? std::vector<int>{} : std::vector<int>{0};
    out += (i ? "," : "") + random_task(i, parents, random);
  }
  return fmt::format(R"({{"name":"{}","tasks":[{}]{}}})", name, out, random_flow_members(random));
}

Workload random_workload(base::SeededRandom& random) {
  Workload work;
  int flows = 1 + int(random.below(4));
  for (int i = 0; i < flows; ++i) {
    std::string name = fmt::format("f{}", i);
    work.flows.emplace(name, make_flow(name, random_spec(name, random)));
  }
  auto time = [&](int seconds) {
    return std::chrono::milliseconds(10 * random.below(std::uint64_t(seconds) * 100));
  };
  int span = 1 + int(random.below(20));
  std::size_t creates = 1 + random.below(12);
  for (std::size_t i = 0; i < creates; ++i) {
    PlannedAction create{.kind = PlannedAction::Kind::create};
    create.flow = fmt::format("f{}", random.below(std::uint64_t(flows)));
    if (chance(random, 40)) create.key = fmt::format("k{}", random.below(4));
    create.body = chance(random, 15) ? "other" : "same";
    if (chance(random, 40)) create.wait = time(30);
    work.actions.emplace(time(span), create);
  }
  for (std::uint64_t i = random.below(8); i > 0; --i) {
    PlannedAction action{.kind = chance(random, 50) ? PlannedAction::Kind::cancel
                                                    : PlannedAction::Kind::watch};
    action.create = random.below(creates);
    if (action.kind == PlannedAction::Kind::watch) action.wait = time(30);
    work.actions.emplace(time(span + 10), action);
  }
  return work;
}

}  // namespace sim
