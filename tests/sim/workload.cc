#include "sim/workload.h"

namespace sim {

namespace {

using Kind = PlannedAction::Kind;

class WorkloadWriter {
 public:
  explicit WorkloadWriter(base::SeededRandom& random) : random_(random) {}

  Workload write() {
    Taste taste = random_taste(random_);
    int flows = 1 + below(4);
    for (int i = 0; i < flows; ++i) {
      std::string name = fmt::format("f{}", i);
      work_.flows.emplace(name, make_flow(name, random_spec(name, taste, random_)));
    }
    int span = 1 + below(20);
    int orgs = 1 + below(3);
    std::size_t creates = 1 + random_.below(12);
    for (std::size_t i = 0; i < creates; ++i) create(flows, orgs, span);
    for (int i = below(14); i > 0; --i) act(creates, span);
    return std::move(work_);
  }

 private:
  bool chance(int percent) { return random_.below(100) < std::uint64_t(percent); }
  int below(int bound) { return int(random_.below(std::uint64_t(bound))); }
  base::Duration time(int seconds) {
    return std::chrono::milliseconds(10 * random_.below(std::uint64_t(seconds) * 100));
  }

  void create(int flows, int orgs, int span) {
    PlannedAction create{.kind = Kind::create};
    create.flow = fmt::format("f{}", below(flows));
    create.org = fmt::format("org{}", below(orgs));
    create.key_variant = below(2);
    if (chance(25)) create.priority = below(5) - 2;
    if (chance(40)) create.key = fmt::format("k{}", below(4));
    create.body = chance(15) ? "other" : "same";
    if (chance(40)) create.wait = time(30);
    work_.actions.emplace(time(span), create);
  }

  void act(std::size_t creates, int span) {
    static constexpr Kind kinds[] = {Kind::cancel,  Kind::watch, Kind::pause,
                                     Kind::resume,  Kind::rerun, Kind::explain,
                                     Kind::explain, Kind::pause, Kind::cancel};
    PlannedAction action{.kind = kinds[below(std::size(kinds))]};
    action.create = random_.below(creates);
    action.drawn = random_.next();
    action.any_live_run = chance(30);
    if (action.kind == Kind::watch) action.wait = time(30);
    base::Duration at = time(span + 10);
    work_.actions.emplace(at, action);
    if (action.kind != Kind::pause || chance(30)) return;
    action.kind = Kind::resume;
    work_.actions.emplace(at + time(span + 10), action);
  }

  base::SeededRandom& random_;
  Workload work_;
};

}  // namespace

Workload random_workload(base::SeededRandom& random) {
  return WorkloadWriter(random).write();
}

}  // namespace sim
