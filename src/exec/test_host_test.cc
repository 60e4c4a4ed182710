// The main of this room's tests, which is also the spawner that they start, and test_host.h.
#include <dirent.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "base/check.h"
#include "exec/test_host.h"

namespace exec {

namespace {
constexpr auto patience = std::chrono::minutes(1);
}

ProcessCallbacks Witness::callbacks() {
  return {[this](std::vector<LogLine> lines) {
            base::MutexLock lock(mutex_);
            EXPECT_FALSE(end_) << "lines after the end";
            std::move(lines.begin(), lines.end(), std::back_inserter(lines_));
            changed_.notify_all();
          },
          [this](ProcessEnd end) {
            base::MutexLock lock(mutex_);
            EXPECT_FALSE(end_) << "a second end";
            end_ = std::move(end);
            changed_.notify_all();
          }};
}

ProcessEnd Witness::wait_end() {
  base::MutexLock lock(mutex_);
  auto deadline = base::SystemClock().steady() + patience;
  while (!end_) CHECK(changed_.wait_until(mutex_, deadline));
  return *end_;
}

std::string Witness::wait_line(std::size_t n) {
  base::MutexLock lock(mutex_);
  auto deadline = base::SystemClock().steady() + patience;
  for (;;) {
    std::size_t seen = 0;
    for (const LogLine& line : lines_) {
      if (!line.from_stderr && seen++ == n) return line.text;
    }
    CHECK(changed_.wait_until(mutex_, deadline));
  }
}

std::vector<LogLine> Witness::lines() {
  base::MutexLock lock(mutex_);
  return lines_;
}

std::string Witness::output() {
  std::string text;
  for (const LogLine& line : lines()) {
    if (!line.from_stderr) text.append(line.text).push_back('\n');
  }
  return text;
}

std::string own_program() {
  return std::filesystem::read_symlink("/proc/self/exe");
}

ProcessHostOptions host_options(const std::string& directory) {
  return {own_program(), directory, std::chrono::seconds(10), /*isolate=*/false};
}

ProcessSpec shell(const std::string& script) {
  ProcessSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  spec.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  spec.working_directory = std::string("/");
  return spec;
}

bool is_alive(pid_t pid) {
  return ::kill(pid, 0) == 0;
}

std::size_t open_descriptors() {
  auto entries = std::filesystem::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::size_t hoppers() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::string name;
    std::ifstream(entry.path() / "comm") >> name;
    count += name == "dagy-hopper";
  }
  return count;
}

ProcessTest::ProcessTest() {
  auto host = ProcessHost::create(host_options(directory_.path()), clock_);
  CHECK(host);
  host_ = std::move(host).value();
}

ProcessEnd ProcessTest::run(ProcessSpec spec, Witness& witness) {
  host_->start(std::move(spec), witness.callbacks());
  return witness.wait_end();
}

}  // namespace exec

int main(int argc, char** argv) {
  if (auto code = exec::run_helper(argc, argv)) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
