// For the tests of this room: a host in a directory of its own, and what its processes said.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/test_directory.h"
#include "base/thread_safety.h"
#include "exec/process.h"

namespace exec {

/// Collects the callbacks of one process; waits without polling. Fails the test after a minute.
class Witness {
 public:
  ProcessCallbacks callbacks();
  ProcessEnd wait_end();
  /// The n-th line of standard output (from 0).
  std::string wait_line(std::size_t n = 0);
  std::vector<LogLine> lines();
  std::string output();  // all lines of standard output, each with its line end

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  std::vector<LogLine> lines_ GUARDED_BY(mutex_);
  std::optional<ProcessEnd> end_ GUARDED_BY(mutex_);
};

std::string own_program();
ProcessHostOptions host_options(const std::string& directory);
ProcessSpec shell(const std::string& script);
bool is_alive(pid_t pid);  // also true for a zombie
std::size_t open_descriptors();
std::size_t hoppers();  // processes that fork without end, see `hop` in spawner_test.cc

class ProcessTest : public testing::Test {
 protected:
  ProcessTest();
  /// Runs to the end.
  ProcessEnd run(ProcessSpec spec) { return run(std::move(spec), witness_); }
  ProcessEnd run(ProcessSpec spec, Witness& witness);

  base::SystemClock clock_;
  base::TemporaryDirectory directory_;
  Witness witness_;
  std::unique_ptr<ProcessHost> host_;
};

/// Entry points of the test program that are not tests; nothing when `argv` is for the tests.
std::optional<int> run_helper(int argc, char** argv);

}  // namespace exec
