#include "processes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace bench {

namespace {

// The sum of two fields of /proc/<pid>/stat, `first` and the next, numbered as in proc(5).
double seconds_of_fields(pid_t pid, int first) {
  std::string text = read_file(fmt::format("/proc/{}/stat", pid));
  std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(text.substr(name_end + 1));
  std::string field;
  double ticks = 0;
  for (int number = 3; rest >> field && number <= first + 1; ++number)
    if (number >= first) ticks += std::atof(field.c_str());
  return ticks / double(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<pid_t> with_children(pid_t pid) {
  std::vector<pid_t> pids = {pid};
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
    std::istringstream children(read_file(task.path() / "children"));
    for (pid_t child; children >> child;) pids.push_back(child);
  }
  return pids;
}

double own_cpu_seconds(pid_t pid) {
  return seconds_of_fields(pid, 14);  // utime, stime
}

double ended_children_cpu_seconds(pid_t pid) {
  return seconds_of_fields(pid, 16);  // cutime, cstime
}

double resident_mb(pid_t pid) {
  std::string status = read_file(fmt::format("/proc/{}/status", pid));
  std::size_t at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : std::atof(status.c_str() + at + 6) / 1024;
}

}  // namespace bench
