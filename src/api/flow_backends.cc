// GET /flows/backends: where tasks can run, and how large they may become there.
#include <thread>

#include "api/routes.h"
#include "base/limits.h"
#include "exec/tiers.h"
#include "model/flow_spec.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

struct TierView {
  model::ExecutionMode execution_mode{};
  double vcpus = 0;
  int memory_mb = 0;
  static const Fields& fields() {
    using S = TierView;
    static const Fields fields("Tier", {field<&S::execution_mode>("execution_mode", "").required(),
                                        field<&S::vcpus>("vcpus", "share of processors").required(),
                                        field<&S::memory_mb>("memory_mb", "MiB").required()});
    return fields;
  }
};

struct BackendView {
  std::string name;
  std::vector<TierView> tiers;
  std::int64_t max_duration_seconds = 0;
  int max_memory_mb = 0;
  int parallel_tasks = 0;
  bool native_retry = false;
  bool supports_cancel = true;
  bool available = true;
  bool cpu_bounded = false;
  bool memory_shared = false;
  static const Fields& fields() {
    using S = BackendView;
    static const Fields fields(
        "Backend",
        {field<&S::name>("name", "what a task's executor names").required(),
         field<&S::tiers>("tiers", "sizes, the smallest first").required(),
         field<&S::max_duration_seconds>("max_duration_seconds", "of one attempt").required(),
         field<&S::max_memory_mb>("max_memory_mb", "of the largest size, MiB").required(),
         field<&S::parallel_tasks>("parallel_tasks", "processes at a time").required(),
         field<&S::native_retry>("native_retry", "whether it retries by itself").required(),
         field<&S::supports_cancel>("supports_cancel", "").required(),
         field<&S::available>("available", "on this server, now").required(),
         field<&S::cpu_bounded>("cpu_bounded", "false: vcpus is not enforced here").required(),
         field<&S::memory_shared>("memory_shared",
                                  "whether memory_mb is that of all processes of an attempt "
                                  "together; false: of each")
             .required()});
    return fields;
  }
};

struct BackendList {
  std::vector<BackendView> items;
  static const Fields& fields() {
    static const Fields fields("BackendList", {field<&BackendList::items>("items", "").required()});
    return fields;
  }
};

base::Result<Reply> list_backends(const Call& call) {
  BackendView local{.name = "local"};
  for (const base::EnumName& mode : enum_names(model::ExecutionMode{})) {
    exec::Tier tier = exec::tier_of(static_cast<model::ExecutionMode>(mode.value));
    local.tiers.push_back({static_cast<model::ExecutionMode>(mode.value), tier.cpu_millis / 1000.0,
                           static_cast<int>(tier.memory_bytes >> 20)});
    local.max_memory_mb = local.tiers.back().memory_mb;
  }
  local.max_duration_seconds = limits::duration_seconds_max;
  local.parallel_tasks =
      static_cast<int>(limits::processes_per_core * std::thread::hardware_concurrency());
  local.cpu_bounded = local.memory_shared = call.services.isolation.has_cgroups;
  return json_reply(200, BackendList{{std::move(local)}});
}

}  // namespace

Route backends_route() {
  return {.method = Method::get,
          .path = "/flows/backends",
          .access = Access::need(model::Permission::flows_read),
          .name = "listBackends",
          .summary = "Where tasks can run, and how large they may become there",
          .handler = list_backends,
          .answers = {{200, "The backends", BackendList::fields}}};
}

}  // namespace api
