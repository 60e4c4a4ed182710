#include "runtime/plan_cache.h"

#include <fmt/format.h>

#include "store/artifacts.h"
#include "store/flows.h"

namespace runtime {

namespace {

// The label cannot hold '\n', so the key is unambiguous; an empty label is the newest version.
std::string cache_key(const std::string& org_id, const std::string& flow_name,
                      const std::optional<std::string>& version) {
  return org_id + '\n' + flow_name + '\n' + version.value_or("");
}

}  // namespace

base::Result<PlanCache::Entry> PlanCache::entry(const std::string& org_id,
                                                const std::string& flow_name,
                                                const std::optional<std::string>& version) {
  std::string key = cache_key(org_id, flow_name, version);
  std::uint64_t generation = 0;
  {
    base::MutexLock lock(mutex_);
    if (auto found = plans_.find(key); found != plans_.end()) return found->second;
    generation = generation_;
  }
  std::optional<store::FlowVersionRow> row;
  auto deleted = version ? store::Deleted::shown : store::Deleted::hidden;
  TRY(store_.read([&](store::Tx& tx) -> base::Result<> {
    row = TRY(store::find_flow_version(tx, org_id, flow_name, version, deleted));
    return {};
  }));
  Entry entry;
  entry.plan =
      TRY(model::load_plan(row->spec, row->flow_version, catalog_,
                           store::artifact_of(row->artifact_uri.value_or("")).value_or("")));
  entry.deleted = row->deleted;
  entry.active = row->active;
  base::MutexLock lock(mutex_);
  if (plans_.size() >= plans_max) plans_.clear();
  if (generation == generation_) plans_[key] = entry;
  return entry;
}

base::Result<std::shared_ptr<const model::Plan>> PlanCache::get(const std::string& org_id,
                                                                const std::string& flow_name,
                                                                const std::string& version) {
  Entry found = TRY(entry(org_id, flow_name, version));
  return std::move(found.plan);
}

base::Result<std::shared_ptr<const model::Plan>> PlanCache::runnable(
    const std::string& org_id, const std::string& flow_name,
    const std::optional<std::string>& version) {
  Entry found = TRY(entry(org_id, flow_name, version));
  if (found.deleted)
    return base::not_found(fmt::format("no version {} of flow {}", *version, flow_name));
  if (!found.active)
    return base::conflict(fmt::format("workflow {} is paused or archived", flow_name));
  return std::move(found.plan);
}

void PlanCache::changed() {
  base::MutexLock lock(mutex_);
  plans_.clear();
  ++generation_;
}

}  // namespace runtime
