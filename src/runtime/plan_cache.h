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
  /// The version with that label, or the newest ACTIVE one. `not_found`.
  base::Result<std::shared_ptr<const model::Plan>> get(const std::string& org_id,
                                                       const std::string& flow_name,
                                                       const std::optional<std::string>& version);
  /// A version was registered: the newest may be another now.
  void registered(const std::string& org_id, const std::string& flow_name);

 private:
  static constexpr std::size_t plans_max = 1000;
  store::Store& store_;
  model::NodeCatalog catalog_;
  base::Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const model::Plan>> plans_ GUARDED_BY(mutex_);
  std::uint64_t generation_ GUARDED_BY(mutex_) = 0;
};

}  // namespace runtime
