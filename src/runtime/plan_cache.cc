#include "runtime/plan_cache.h"

#include "store/flows.h"

namespace runtime {

namespace {

// The label cannot hold '\n', so the key is unambiguous; an empty label is the newest version.
std::string cache_key(const std::string& org_id, const std::string& flow_name,
                      const std::optional<std::string>& version) {
  return org_id + '\n' + flow_name + '\n' + version.value_or("");
}

}  // namespace

base::Result<std::shared_ptr<const model::Plan>> PlanCache::get(
    const std::string& org_id, const std::string& flow_name,
    const std::optional<std::string>& version) {
  std::string key = cache_key(org_id, flow_name, version);
  std::uint64_t generation = 0;
  {
    base::MutexLock lock(mutex_);
    if (auto found = plans_.find(key); found != plans_.end()) return found->second;
    generation = generation_;
  }
  std::optional<store::FlowVersionRow> row;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_flow_version(tx, org_id, flow_name, version));
    return {};
  }));
  auto plan = TRY(model::load_plan(row->spec, row->flow_version, catalog_));
  base::MutexLock lock(mutex_);
  if (plans_.size() >= plans_max) plans_.clear();
  if (generation == generation_) plans_[key] = plan;
  return plan;
}

void PlanCache::registered(const std::string& org_id, const std::string& flow_name) {
  base::MutexLock lock(mutex_);
  plans_.erase(cache_key(org_id, flow_name, std::nullopt));
  ++generation_;
}

}  // namespace runtime
