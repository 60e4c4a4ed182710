// Flow versions made ready to run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/thread_safety.h"
#include "model/plan.h"
#include "store/store.h"

namespace runtime {

/// Keeps plans, so that a trigger needs no read of the store. Thread-safe.
class PlanCache {
 public:
  PlanCache(store::Store& store, model::NodeCatalog catalog) : store_(store), catalog_(catalog) {}
  /// The version with that label, also a deleted one that still has runs. `not_found`.
  base::Result<std::shared_ptr<const model::Plan>> get(const std::string& org_id,
                                                       const std::string& flow_name,
                                                       const std::string& version);
  /// The version with that label, or the newest one, for a new run. `not_found`; `conflict` while
  /// its workflow is paused or archived.
  base::Result<std::shared_ptr<const model::Plan>> runnable(
      const std::string& org_id, const std::string& flow_name,
      const std::optional<std::string>& version);
  /// A version was registered or deleted, or a workflow has another status.
  void changed();

 private:
  static constexpr std::size_t plans_max = 1000;
  struct Entry {
    std::shared_ptr<const model::Plan> plan;
    bool deleted = false;
    bool active = true;
  };
  base::Result<Entry> entry(const std::string& org_id, const std::string& flow_name,
                            const std::optional<std::string>& version);

  store::Store& store_;
  model::NodeCatalog catalog_;
  base::Mutex mutex_;
  std::unordered_map<std::string, Entry> plans_ GUARDED_BY(mutex_);
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
};

}  // namespace runtime
