#include "sim/flows.h"

#include "model/test_catalog.h"

namespace sim {

namespace {

using base::SeededRandom;

bool chance(SeededRandom& random, int percent) {
  return random.below(100) < std::uint64_t(percent);
}

std::string id_list(const std::vector<int>& ids) {
  std::string list;
  for (int id : ids) list += fmt::format("{}\"t{}\"", list.empty() ? "" : ",", id);
  return list;
}

class SpecWriter {
 public:
  SpecWriter(const Taste& taste, SeededRandom& random) : taste_(taste), random_(random) {}

  std::string flow(const std::string& name) {
    bool wide = chance(4);
    int tasks = wide ? 20 + below(60) : 1 + below(12);
    int density = 10 + below(50);
    std::string list;
    for (int i = 0; i < tasks; ++i) {
      std::vector<int> parents;
      for (int p = 0; p < i; ++p)
        if (wide ? p == 0 : chance(density)) parents.push_back(p);
      list += (i ? "," : "") + task(i, parents);
    }
    return fmt::format(R"({{"name":"{}","tasks":[{}],"edges":[{}]{}}})", name, list, edges_,
                       members());
  }

 private:
  bool chance(int percent) { return sim::chance(random_, percent); }
  int below(int bound) { return int(random_.below(std::uint64_t(bound))); }

  std::string task(int i, const std::vector<int>& parents) {
    std::string out = fmt::format("{{\"id\":\"t{}\"", i);
    std::string type = random_type();
    is_branch_.push_back(type == "branch");
    for (int parent : parents) add_edge(parent, i);
    out += type_members(type);
    bool has_attempts = type == "instant" || type == "process" || type == "subflow";
    if (!parents.empty() && chance(taste_.rule))
      out += fmt::format(",\"trigger_rule\":\"{}\"", rules[below(std::size(rules))]);
    if (chance(taste_.when)) out += ",\"when\":\"true\"";
    if (!parents.empty() && chance(50))
      out += fmt::format(",\"inputs\":{{\"all\":{{\"tasks\":[{}]}},\"one\":{{\"task\":\"t{}\"}}}}",
                         id_list(parents), parents.back());
    if (type != "branch" && chance(taste_.map)) out += map_members();
    if (chance(taste_.priority)) out += fmt::format(",\"priority\":{}", below(5) - 2);
    if (has_attempts) out += attempt_members();
    return out + "}";
  }

  std::string random_type() {
    int drawn = below(100);
    auto is = [&](int percent) {
      drawn -= percent;
      return drawn < 0;
    };
    if (is(taste_.process)) return "process";
    if (is(taste_.branch)) return "branch";
    if (is(taste_.delay)) return "delay";
    if (is(taste_.approval)) return "approval";
    if (is(taste_.subflow)) return "subflow";
    return "instant";
  }

  static std::string type_members(const std::string& type) {
    std::string config;
    if (type == "process") config = R"(,"config":{"command":"x"})";
    if (type == "branch")
      config = R"(,"config":{"choices":{"a":"true","b":"true"},"otherwise":"c"})";
    return fmt::format(",\"type\":\"{}\"{}", type, config);
  }

  void add_edge(int parent, int child) {
    std::string label;
    if (is_branch_[std::size_t(parent)] && chance(80))
      label = fmt::format(",\"label\":\"{}\"", labels[below(3)]);
    edges_ += fmt::format(R"({}{{"source":"t{}","target":"t{}"{}}})", edges_.empty() ? "" : ",",
                          parent, child, label);
  }

  std::string map_members() {
    std::string out = R"(,"map_over":{"literal":[1]})";
    if (chance(50)) out += fmt::format(",\"max_parallel\":{}", 1 + below(4));
    if (chance(50)) out += fmt::format(",\"max_failures\":{}", 1 + below(4));
    return out;
  }

  std::string attempt_members() {
    std::string out;
    if (chance(taste_.retries)) out += retries();
    if (chance(taste_.timeout))
      out += fmt::format(",\"timeout_seconds\":{}", 0.05 * (1 + below(40)));
    if (chance(taste_.repeat))
      out += fmt::format(R"(,"repeat_until":"true","max_iterations":{})", 1 + below(4));
    if (chance(taste_.cache))
      out += fmt::format(R"(,"cache":{{"key":"'k'","ttl_seconds":{}}})", 1 + below(100));
    if (chance(taste_.task_limit))
      out += fmt::format(R"(,"concurrency_limit":{},"concurrency_key":"'k'")", 1 + below(3));
    return out;
  }

  std::string retries() {
    std::string out = fmt::format(",\"retries\":{}", 1 + below(3));
    switch (below(5)) {
      case 0:
        break;
      case 1:
        out += ",\"retry_delay_seconds\":0.5";
        break;
      case 2:
        out += ",\"retry_delay_seconds\":[0.1,0,2]";
        break;
      case 3:
        out += R"(,"retry_backoff":{"initial":0.2,"factor":3,"max":1},"retry_jitter_factor":0.2)";
        break;
      default:
        out += ",\"retry_delay_seconds\":1,\"retry_jitter_factor\":0.5";
    }
    if (chance(20)) out += ",\"retry_on\":[\"exit_code\",\"timeout\"]";
    return out;
  }

  std::string hooks(const char* kind) {
    std::string list;
    for (int i = 1 + below(2); i > 0; --i) {
      std::string type = chance(50) ? "instant" : chance(70) ? "process" : "subflow";
      list += fmt::format("{}{{\"id\":\"h{}\"{}{}{}}}", list.empty() ? "" : ",", hooks_++,
                          type_members(type), chance(20) ? ",\"when\":\"true\"" : "",
                          chance(30) ? attempt_members() : "");
    }
    return fmt::format(",\"{}\":[{}]", kind, list);
  }

  std::string members() {
    std::string out;
    if (chance(50)) out += ",\"fail_fast\":false";
    if (chance(40)) out += fmt::format(",\"max_parallel\":{}", 1 + below(4));
    if (chance(15)) out += fmt::format(",\"timeout_seconds\":{}", 1 + below(20));
    if (chance(taste_.flow_limit)) {
      out += fmt::format(R"(,"concurrency_limit":{},"concurrency_policy":"{}")", 1 + below(2),
                         policies[below(3)]);
      if (chance(50)) out += R"(,"concurrency_key":"'k'")";
    }
    for (const char* kind : {"on_success", "on_failure", "on_cancel"})
      if (chance(taste_.hooks)) out += hooks(kind);
    return out;
  }

  static constexpr const char* rules[] = {"none_failed", "all_done", "one_success", "one_failed"};
  static constexpr const char* labels[] = {"a", "b", "c"};
  static constexpr const char* policies[] = {"queue", "skip", "cancel_running"};

  const Taste& taste_;
  SeededRandom& random_;
  std::vector<bool> is_branch_;
  std::string edges_;
  int hooks_ = 0;
};

}  // namespace

Taste random_taste(SeededRandom& random) {
  Taste taste;
  for (int* each : {&taste.branch, &taste.delay, &taste.approval, &taste.subflow, &taste.rule,
                    &taste.when, &taste.map, &taste.repeat, &taste.cache, &taste.task_limit,
                    &taste.priority, &taste.hooks, &taste.flow_limit}) {
    std::uint64_t drawn = random.below(8);
    if (drawn == 0) *each *= 3;
    if (drawn > 4) *each = 0;
  }
  return taste;
}

StoredFlow make_flow(const std::string& name, std::string spec) {
  auto plan = model::load_plan(spec, "1", model::test_catalog());
  if (!plan) {
    std::string fields;
    for (const base::FieldError& field : plan.error().fields)
      fields += "\n" + field.path + " " + field.message;
    violate("flow {}: {}{} in {}", name, plan.error().message, fields, spec);
  }
  return {std::move(spec), *plan};
}

std::string random_spec(const std::string& name, const Taste& taste, SeededRandom& random) {
  return SpecWriter(taste, random).flow(name);
}

}  // namespace sim
