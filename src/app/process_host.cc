#include "app/process_host.h"

#include <unistd.h>

#include "base/log.h"

namespace app {

namespace {

// The path of this program, also when it was found through PATH.
std::string own_path() {
  char buffer[4096];
  ssize_t n = readlink("/proc/self/exe", buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "dagy";
}

base::Result<std::unique_ptr<exec::ProcessHost>> start(const Settings& settings,
                                                       const DataDirectory& directory,
                                                       base::Clock& clock) {
  exec::ProcessHostOptions options{own_path(), directory.path()};
  options.allowed_paths = TRY(allowed_directories(settings));
  return exec::ProcessHost::create(std::move(options), clock);
}

}  // namespace

base::Result<std::unique_ptr<exec::ProcessHost>> start_process_host(const Settings& settings,
                                                                    const DataDirectory& directory,
                                                                    base::Clock& clock) {
  auto host = TRY(start(settings, directory, clock));
  const exec::Isolation& isolation = host->isolation();
  if (isolation.level == exec::IsolationLevel::full) {
    base::log_info("tasks are isolated");
  } else if (isolation.level == exec::IsolationLevel::partial) {
    base::log_warning("tasks are isolated in part", {{"reason", isolation.reason}});
  } else {
    base::log_warning("tasks are not isolated", {{"reason", isolation.reason}});
  }
  return host;
}

auth::Tenancy tenancy_of(const Settings& settings, const exec::Isolation& isolation) {
  bool isolated = isolation.level != exec::IsolationLevel::none;
  return isolated || settings.allow_unisolated ? auth::Tenancy::several : auth::Tenancy::one;
}

base::Result<auth::Tenancy> find_tenancy(const Settings& settings, const DataDirectory& directory,
                                         base::Clock& clock) {
  if (settings.allow_unisolated) return auth::Tenancy::several;
  auto host = TRY(start(settings, directory, clock));
  return tenancy_of(settings, host->isolation());
}

}  // namespace app
