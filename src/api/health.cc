// Health: whether this server can do its work.
#include <array>

#include "api/routes.h"

namespace api {

using base::field;
using base::Fields;

namespace {

enum class HealthStatus { healthy, degraded, unhealthy };
std::span<const base::EnumName> enum_names(HealthStatus) {
  static constexpr std::array<base::EnumName, 3> names{
      {{int(HealthStatus::healthy), "healthy"},
       {int(HealthStatus::degraded), "degraded"},
       {int(HealthStatus::unhealthy), "unhealthy"}}};
  return names;
}

struct Component {
  std::string name;
  HealthStatus status = HealthStatus::healthy;
  std::optional<std::string> message;
  static const Fields& fields() {
    using S = Component;
    static const Fields fields(
        "HealthComponent",
        {field<&S::name>("name", "store, objects, engine or isolation").required(),
         field<&S::status>("status", "").required(),
         field<&S::message>("message", "what is wrong or missing").required()});
    return fields;
  }
};

struct Health {
  HealthStatus status = HealthStatus::healthy;
  std::string version = DAGY_VERSION;
  std::vector<Component> components;
  base::Timestamp timestamp;
  static const Fields& fields() {
    using S = Health;
    static const Fields fields("Health",
                               {field<&S::status>("status", "the worst component's").required(),
                                field<&S::version>("version", "of this program").required(),
                                field<&S::components>("components", "").required(),
                                field<&S::timestamp>("timestamp", "").required()});
    return fields;
  }
};

struct Liveness {
  std::string status = "ok";
  std::string version = DAGY_VERSION;
  static const Fields& fields() {
    using S = Liveness;
    static const Fields fields("Liveness", {field<&S::status>("status", "ok").required(),
                                            field<&S::version>("version", "").required()});
    return fields;
  }
};

Component check_store(const Services& services) {
  base::Result<> checked = services.store.check();
  if (checked) return {"store", HealthStatus::healthy, std::nullopt};
  bool full = !services.store.accepts_work();
  return {"store", full ? HealthStatus::degraded : HealthStatus::unhealthy,
          checked.error().message};
}

Component check_objects(const Services& services) {
  base::Result<> checked = services.objects.check();
  if (checked) return {"objects", HealthStatus::healthy, std::nullopt};
  return {"objects", HealthStatus::unhealthy, checked.error().message};
}

Component check_engine(const Services& services) {
  if (services.loop.is_responsive()) return {"engine", HealthStatus::healthy, std::nullopt};
  return {"engine", HealthStatus::unhealthy, "the run loop has not answered for 5 s"};
}

Component check_isolation(const Services& services) {
  const exec::Isolation& isolation = services.isolation;
  if (isolation.level == exec::IsolationLevel::full)
    return {"isolation", HealthStatus::healthy, std::nullopt};
  if (isolation.level == exec::IsolationLevel::partial)
    return {"isolation", HealthStatus::healthy, "in part: " + isolation.reason};
  return {"isolation", HealthStatus::degraded,
          "tasks are not isolated from this server and from each other: " + isolation.reason};
}

base::Result<Reply> health(const Call& call) {
  Health health;
  health.components = {check_store(call.services), check_objects(call.services),
                       check_engine(call.services), check_isolation(call.services)};
  health.timestamp = call.services.clock.now();
  for (const Component& component : health.components)
    health.status = std::max(health.status, component.status);
  return json_reply(health.status == HealthStatus::unhealthy ? 503 : 200, health);
}

base::Result<Reply> live(const Call&) {
  return json_reply(200, Liveness{});
}

}  // namespace

Category health_category() {
  return {"Health",
          "Whether this server can do its work",
          {{.method = Method::get,
            .path = "/health",
            .access = Access::anyone(),
            .name = "getHealth",
            .summary = "State of the server and its components",
            .handler = health,
            .answers = {{200, "Healthy or degraded", Health::fields},
                        {503, "Unhealthy", Health::fields}},
            .rate_limited = false},
           {.method = Method::get,
            .path = "/health/live",
            .access = Access::anyone(),
            .name = "getLiveness",
            .summary = "The process answers",
            .handler = live,
            .answers = {{200, "It does", Liveness::fields}},
            .rate_limited = false}}};
}

}  // namespace api
