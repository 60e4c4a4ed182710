#include "exec/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace exec {

namespace {

constexpr int kill_passes_max = 500;
constexpr int kill_pass_ms = 10;

UniqueFd open_proc(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string read_all(int fd) {
  std::string text;
  char chunk[16384];
  for (;;) {
    ssize_t n = ::pread(fd, chunk, sizeof chunk, static_cast<off_t>(text.size()));
    if (n <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(n));
  }
}

std::string read_proc(const std::string& path) {
  UniqueFd file = open_proc(path);
  return file ? read_all(file.get()) : std::string();
}

/// Calls `visit` with each entry of a directory whose name is a number.
template <class Visit>
void for_each_number(const std::string& directory, Visit visit) {
  std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  if (!entries) return;
  while (dirent* entry = ::readdir(entries.get())) {
    pid_t number = 0;
    std::string_view name = entry->d_name;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) visit(number);
  }
}

std::vector<pid_t> parse_pids(std::string_view text) {
  std::vector<pid_t> pids;
  while (!text.empty()) {
    pid_t pid = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error == std::errc()) pids.push_back(pid);
    std::size_t used = std::max<std::size_t>(1, static_cast<std::size_t>(end - text.data()));
    text.remove_prefix(used);
  }
  return pids;
}

/// For kernels without CONFIG_PROC_CHILDREN: looks at every process of the machine.
std::vector<pid_t> children_by_scan(pid_t parent) {
  std::vector<pid_t> pids;
  for_each_number("/proc", [&](pid_t pid) {
    auto stat = read_stat(pid);
    if (stat && stat->parent == parent) pids.push_back(pid);
  });
  return pids;
}

bool kernel_lists_children() {
  static const bool answer =
      ::access(fmt::format("/proc/self/task/{}/children", ::getpid()).c_str(), R_OK) == 0;
  return answer;
}

void append_children(pid_t parent, std::vector<pid_t>& out) {
  if (!kernel_lists_children()) {
    auto pids = children_by_scan(parent);
    out.insert(out.end(), pids.begin(), pids.end());
    return;
  }
  std::string tasks = fmt::format("/proc/{}/task", parent);
  for_each_number(tasks, [&](pid_t task) {
    auto pids = parse_pids(read_proc(fmt::format("{}/{}/children", tasks, task)));
    out.insert(out.end(), pids.begin(), pids.end());
  });
}

}  // namespace

std::optional<ProcessStat> read_stat(pid_t pid) {
  std::string text = read_proc(fmt::format("/proc/{}/stat", pid));
  std::size_t name_end = text.rfind(')');  // the name may hold anything, parentheses too
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
  ProcessStat stat;
  stat.state = text[name_end + 2];
  auto numbers = parse_pids(std::string_view(text).substr(name_end + 3, 64));
  if (numbers.size() < 3) return std::nullopt;
  stat.parent = numbers[0];
  stat.group = numbers[1];
  stat.session = numbers[2];
  return stat;
}

OwnChildren::OwnChildren()
    : file_(open_proc(fmt::format("/proc/{}/task/{}/children", ::getpid(), ::gettid()))) {}

std::vector<pid_t> OwnChildren::list() const {
  if (!file_) return children_by_scan(::getpid());
  return parse_pids(read_all(file_.get()));
}

void append_tree(pid_t root, std::vector<pid_t>& out) {
  std::size_t next = out.size();
  out.push_back(root);
  for (; next < out.size(); ++next) append_children(out[next], out);
}

void signal_groups(const std::vector<pid_t>& pids, int signal) {
  std::vector<pid_t> groups;
  const pid_t own_group = ::getpgrp();
  for (pid_t pid : pids) {
    auto stat = read_stat(pid);
    if (!stat) continue;
    if (stat->group <= 1 || stat->group == own_group) {
      ::kill(pid, signal);
    } else {
      groups.push_back(stat->group);
    }
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  for (pid_t group : groups) ::kill(-group, signal);
}

std::string marker_prefix(dev_t device, ino_t inode) {
  return fmt::format("{:x}.{:x}.", device, inode);
}

std::optional<std::uint64_t> marked_attempt(pid_t pid, std::string_view prefix) {
  std::string environment = read_proc(fmt::format("/proc/{}/environ", pid));
  std::string wanted = fmt::format("{}{}", marker_name, prefix);
  for (std::size_t at = environment.find(wanted); at != std::string::npos;
       at = environment.find(wanted, at + 1)) {
    if (at != 0 && environment[at - 1] != '\0') continue;
    const char* digits = environment.data() + at + wanted.size();
    std::uint64_t id = 0;
    auto parsed = std::from_chars(digits, environment.data() + environment.size(), id);
    if (parsed.ec == std::errc()) return id;
  }
  return std::nullopt;
}

bool kill_marked(std::string_view prefix, pid_t spared) {
  for (int pass = 0; pass < kill_passes_max; ++pass) {
    bool found = false;
    for_each_number("/proc", [&](pid_t pid) {
      if (pid == spared || pid == ::getpid() || !marked_attempt(pid, prefix)) return;
      found = ::kill(pid, SIGKILL) == 0 || found;
    });
    if (!found) return true;
    ::poll(nullptr, 0, kill_pass_ms);
  }
  return false;
}

}  // namespace exec
