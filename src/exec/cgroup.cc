#include "exec/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "exec/unique_fd.h"

namespace exec {

namespace {

constexpr std::string_view leaf_of_server = "dagy-server";
constexpr std::string_view nest_prefix = "dagy-nest-";
constexpr int cpu_period_us = 100'000;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int write_text(const std::string& path, const std::string& text) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

base::Error absent(const std::string& what, int error) {
  return base::unavailable(fmt::format("{}: {}", what, std::strerror(error)));
}

/// Of nests of a spawner that was killed. One that is in use is not removed.
void remove_old(const std::string& root) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(root, ignored))
    if (entry.path().filename().string().starts_with(nest_prefix)) ::rmdir(entry.path().c_str());
}

}  // namespace

base::Result<CgroupTree> CgroupTree::open(const std::string& mount, const std::string& path,
                                          const std::vector<pid_t>& own) {
  std::string root = mount + (path == "/" ? "" : path);
  auto controllers = words_of(read_text(root + "/cgroup.controllers"));
  for (const char* wanted : {"cpu", "memory", "pids"})
    if (std::find(controllers.begin(), controllers.end(), wanted) == controllers.end())
      return base::unavailable(fmt::format("cgroup v2 has no controller {} here", wanted));
  if (::access((root + "/cgroup.subtree_control").c_str(), W_OK) != 0)
    return absent("its cgroup is not its own", errno);
  // The topmost cgroup of a machine has no type, and may hold processes beside others.
  if (::access((root + "/cgroup.type").c_str(), F_OK) == 0) {
    for (const std::string& pid : words_of(read_text(root + "/cgroup.procs")))
      if (std::find(own.begin(), own.end(), std::stoi(pid)) == own.end())
        return base::unavailable("it shares its cgroup with other processes");
    std::string leaf = fmt::format("{}/{}", root, leaf_of_server);
    if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return absent(leaf, errno);
    for (pid_t pid : own)
      if (int error = write_text(leaf + "/cgroup.procs", std::to_string(pid)))
        return absent(leaf, error);
  }
  if (int error = write_text(root + "/cgroup.subtree_control", "+cpu +memory +pids"))
    return absent("its cgroup cannot be divided", error);
  remove_old(root);
  return CgroupTree(root);
}

base::Result<CgroupTree> CgroupTree::find() {
  std::string path;
  std::istringstream cgroups(read_text("/proc/self/cgroup"));
  for (std::string line; std::getline(cgroups, line);)
    if (line.starts_with("0::")) path = line.substr(3);
  if (path.empty()) return base::unavailable("no cgroup v2");
  // A server started from another's leaf divides what is above it again.
  if (path.ends_with(leaf_of_server))
    path.resize(std::max<std::size_t>(1, path.size() - leaf_of_server.size() - 1));
  std::istringstream mounts(read_text("/proc/self/mounts"));
  std::string device, mount, type, rest;
  while (mounts >> device >> mount >> type && std::getline(mounts, rest))
    if (type == "cgroup2") return open(mount, path, {::getpid(), ::getppid()});
  return base::unavailable("cgroup v2 is not mounted");
}

std::string CgroupTree::of(pid_t pid) const {
  return fmt::format("{}/{}{}", root_, nest_prefix, pid);
}

int CgroupTree::put(pid_t pid, const CgroupLimits& limits) const {
  std::string group = of(pid);
  if (::mkdir(group.c_str(), 0755) != 0 && errno != EEXIST) return errno;
  auto bound = [](std::uint64_t value) { return value == 0 ? "max" : std::to_string(value); };
  std::string cpu = "max";
  if (limits.cpu_millis_max != 0)
    cpu = std::to_string(limits.cpu_millis_max * cpu_period_us / 1000);
  const std::pair<const char*, std::string> files[] = {
      {"/memory.max", bound(limits.memory_bytes_max)},
      {"/memory.oom.group", "1"},
      {"/pids.max", bound(limits.processes_max)},
      {"/cpu.max", fmt::format("{} {}", cpu, cpu_period_us)},
      {"/cgroup.procs", std::to_string(pid)},
  };
  for (const auto& [name, text] : files)
    if (int error = write_text(group + name, text)) return error;
  // Without swap accounting the file is not there.
  if (int error = write_text(group + "/memory.swap.max", "0"); error != 0 && error != ENOENT)
    return error;
  return 0;
}

void CgroupTree::remove(pid_t pid) const {
  ::rmdir(of(pid).c_str());
}

}  // namespace exec
