#include "app/process_host.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "exec/python_sdk.h"

namespace app {

namespace {

// The path of this program, also when it was found through PATH.
std::string own_path() {
  char buffer[4096];
  ssize_t n = readlink("/proc/self/exe", buffer, sizeof buffer);
  return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "dagy";
}

bool holds(const std::string& path, std::string_view content) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {}) == content;
}

// Under another name first, so that what is there is whole. Tasks may read it and no more.
base::Result<> place_sdk(const DataDirectory& directory) {
  namespace fs = std::filesystem;
  std::string path = sdk_path(directory);
  if (path.empty() || holds(path, exec::python_sdk_zip())) return {};
  std::string draft = path + ".new";
  std::error_code error;
  fs::create_directory(fs::path(path).parent_path(), error);
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << exec::python_sdk_zip();
  file.close();
  if (file) fs::permissions(fs::path(path).parent_path(), fs::perms(0755), error);
  if (file) fs::permissions(draft, fs::perms(0644), error);
  if (file) fs::rename(draft, path, error);
  if (!file || error) return base::unavailable("cannot write " + path);
  return {};
}

base::Result<std::unique_ptr<exec::ProcessHost>> start(const Settings& settings,
                                                       const DataDirectory& directory,
                                                       base::Clock& clock) {
  exec::ProcessHostOptions options{own_path(), directory.path()};
  options.allowed_paths = TRY(allowed_directories(settings));
  return exec::ProcessHost::create(std::move(options), clock);
}

}  // namespace

std::string sdk_path(const DataDirectory& directory) {
  return exec::python_sdk_zip().empty() ? "" : directory.file("sdk/dagy.zip");
}

base::Result<std::unique_ptr<exec::ProcessHost>> start_process_host(const Settings& settings,
                                                                    const DataDirectory& directory,
                                                                    base::Clock& clock) {
  TRY(place_sdk(directory));
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
