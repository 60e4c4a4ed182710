// The thinking part of the executor: what a task's expressions give, what a mapped task's elements
// make together, which run a sub-flow is. Thread-safe; blocks on the disk, so it is called from the
// executor's pool.
#pragma once

#include <list>

#include "base/thread_safety.h"
#include "nodes/catalog.h"
#include "runtime/events.h"
#include "runtime/plan_cache.h"
#include "runtime/task_values.h"
#include "store/objects.h"
#include "store/store.h"

namespace runtime {

class Evaluator {
 public:
  Evaluator(store::Store& store, store::Objects& objects, PlanCache& plans, base::Clock& clock)
      : store_(store), objects_(objects), plans_(plans), clock_(clock) {}

  /// Answers a Compute.
  TaskComputed compute(const ComputeStart& start);
  /// The run that a sub-flow's attempt is to be; a Failure in place of an AttemptEnded.
  std::variant<StartChild, model::Failure> start_child(const AttemptStart& start);
  /// What an attempt ends with whose run has ended.
  engine::AttemptReport collect(const ChildEnd& end);
  /// After an attempt that succeeded: whether repeat_until wants another.
  base::Result<bool> repeats(const TaskContext& context, const model::Value& output);

  MapLists& map_lists() { return lists_; }

 private:
  /// The lists last used, a few at a time.
  class RecentLists : public MapLists {
   public:
    std::shared_ptr<const MapList> find(base::RunId run, model::TaskIndex planned) override;
    void keep(base::RunId run, model::TaskIndex planned,
              std::shared_ptr<const MapList> list) override;

   private:
    struct Entry {
      base::RunId run;
      model::TaskIndex planned;
      std::shared_ptr<const MapList> list;
    };
    base::Mutex mutex_;
    std::list<Entry> entries_ GUARDED_BY(mutex_);  // the last used first
  };

  base::Result<engine::Decided> decide(const TaskContext& context, TaskValues& values,
                                       std::optional<store::ApprovalRow>& approval);
  base::Result<engine::Decided> choose(const TaskContext& context, TaskValues& values);
  base::Result<engine::Decided> wait(const TaskContext& context, TaskValues& values,
                                     std::optional<store::ApprovalRow>& approval);
  base::Result<engine::Decided> take_keys(const TaskContext& context, TaskValues& values);
  base::Result<std::optional<model::Value>> find_cached(const std::string& org_id,
                                                        const std::string& key);
  base::Result<engine::Gathered> gather(const ComputeStart& start);
  base::Result<StartChild> prepare_child(const AttemptStart& start, TaskValues& values);
  base::Result<engine::AttemptReport> read_child(const ChildEnd& end);

  store::Store& store_;
  store::Objects& objects_;
  PlanCache& plans_;
  base::Clock& clock_;
  RecentLists lists_;
};

}  // namespace runtime
