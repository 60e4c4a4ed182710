#include "server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "http_client.h"
#include "processes.h"

extern char** environ;

namespace bench {

namespace {

constexpr std::string_view password = "a password for the bench";

}  // namespace

ServerProcess::ServerProcess(const std::string& program, const std::string& preload,
                             const std::string& data_directory, Database& database)
    : database_(database), directory_(data_directory), counter_path_(data_directory + ".fsyncs") {
  std::filesystem::remove_all(directory_);
  std::ofstream(counter_path_) << std::string(16, '\0');
  // The first start makes schema and owner; the second is the one that is measured.
  start(program, preload, true);
  stop();
  start(program, preload, false);
  log_in();
}

ServerProcess::~ServerProcess() {
  stop();
  std::filesystem::remove_all(directory_);
  std::filesystem::remove(counter_path_);
}

void ServerProcess::start(const std::string& program, const std::string& preload, bool first) {
  std::vector<std::string> environment = {
      "LD_PRELOAD=" + preload, "BENCH_FSYNC_FILE=" + counter_path_,
      "DAGY_OWNER_PASSWORD=" + std::string(password), "DAGY_RATE_LIMIT_PER_MINUTE=0"};
  if (!database_.url().empty()) environment.push_back("DAGY_DATABASE_URL=" + database_.url());
  std::vector<std::string> arguments = {program, "serve", "--data-dir", directory_, "--port", "0"};
  std::vector<char*> argv, envp;
  for (std::string& each : arguments) argv.push_back(each.data());
  for (std::string& each : environment) envp.push_back(each.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  int out[2];
  CHECK(pipe2(out, O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (directory_ + ".log").c_str(),
                                   O_WRONLY | O_CREAT | (first ? O_TRUNC : O_APPEND), 0600);
  base::SystemClock clock;
  base::SteadyTime begin = clock.steady();
  CHECK(posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), envp.data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  std::string text;
  char bytes[256];
  std::size_t at = std::string::npos;
  while (at == std::string::npos || text.find('\n', at) == std::string::npos) {
    ssize_t n = read(out[0], bytes, sizeof bytes);
    CHECK(n > 0);
    text.append(bytes, static_cast<std::size_t>(n));
    at = text.find("localhost:");
    if (at != std::string::npos && text.compare(at - 7, 7, "http://") != 0) at = std::string::npos;
  }
  close(out[0]);
  port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + at + 10));
  CHECK(Connection(port_).exchange(make_request("GET", "/health", "", "")).status == 200);
  start_seconds_ = std::chrono::duration<double>(clock.steady() - begin).count();
}

void ServerProcess::stop() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

void ServerProcess::log_in() {
  std::string body = fmt::format(R"({{"email":"owner@localhost","password":"{}"}})", password);
  Answer answer = Connection(port_).exchange(make_request("POST", "/auth/login", "", body));
  CHECK(answer.status == 200);
  auto document = *base::JsonDocument::parse(answer.body);
  token_ = document->root().find("access_token")->string();
}

double ServerProcess::cpu_seconds() const {
  double seconds = 0;
  for (pid_t pid : with_children(pid_)) {
    seconds += own_cpu_seconds(pid);
    if (pid != pid_) seconds += ended_children_cpu_seconds(pid);  // its own are counted alive
  }
  return seconds;
}

std::uint64_t ServerProcess::fsyncs() const {
  std::string bytes = read_file(counter_path_);
  std::uint64_t count = 0;
  bytes.copy(reinterpret_cast<char*>(&count), sizeof count);
  return count;
}

void ServerProcess::slow_syncs(std::chrono::milliseconds by) {
  std::fstream file(counter_path_, std::ios::in | std::ios::out | std::ios::binary);
  auto ms = static_cast<std::uint64_t>(by.count());
  file.seekp(sizeof(std::uint64_t));
  file.write(reinterpret_cast<const char*>(&ms), sizeof ms);
}

double ServerProcess::memory_mb() const {
  double mb = 0;
  for (pid_t pid : with_children(pid_)) mb += resident_mb(pid);
  return mb;
}

double ServerProcess::disk_sync_ms() const {
  std::string path = directory_ + ".disk";
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(file >= 0);
  base::SystemClock clock;
  std::vector<double> times;
  std::string page(4096, 'x');
  for (int i = 0; i < 200; ++i) {
    base::SteadyTime begin = clock.steady();
    CHECK(pwrite(file, page.data(), page.size(), 0) == ssize_t(page.size()));
    CHECK(fdatasync(file) == 0);
    times.push_back(std::chrono::duration<double, std::milli>(clock.steady() - begin).count());
  }
  close(file);
  std::filesystem::remove(path);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace bench
