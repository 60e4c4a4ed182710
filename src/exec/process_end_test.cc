// How processes end: asked, killed, with children left behind.
#include <fcntl.h>
#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "exec/process_tree.h"
#include "exec/test_host.h"
#include "exec/unique_fd.h"

namespace exec {
namespace {

using namespace std::chrono_literals;

class ProcessEndTest : public ProcessTest {
 protected:
  /// Starts `spec`, waits for `lines` lines of output, each the id of a process, stops it.
  ProcessEnd stop_after_lines(ProcessSpec spec, std::size_t lines) {
    ProcessId id = host_->start(std::move(spec), witness_.callbacks());
    for (std::size_t i = 0; i < lines; ++i) pids_.push_back(std::stoi(witness_.wait_line(i)));
    for (pid_t pid : pids_) EXPECT_TRUE(is_alive(pid));
    host_->stop(id);
    return witness_.wait_end();
  }
  ProcessSpec in_scratch(const std::string& script) {
    ProcessSpec spec = shell(script);
    spec.working_directory = directory_.path();
    return spec;
  }
  void expect_all_dead() {
    for (pid_t pid : pids_) EXPECT_FALSE(is_alive(pid)) << pid;
  }
  /// After the end of a process that has printed the ids of what it started.
  void take_pids() {
    for (const LogLine& line : witness_.lines()) {
      if (!line.from_stderr) pids_.push_back(std::stoi(line.text));
    }
  }

  std::vector<pid_t> pids_;
};

TEST_F(ProcessEndTest, SigtermIsHonoured) {
  ProcessEnd end = stop_after_lines(
      shell("trap 'echo bye; exit 5' TERM; echo $$; while :; do sleep 0.01; done"), 1);
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_EQ(end.signal, 0);
  EXPECT_TRUE(end.stopped);
  EXPECT_TRUE(witness_.output().ends_with("bye\n"));
  expect_all_dead();
}

TEST_F(ProcessEndTest, SigtermIsDeliveredOnce) {
  ProcessEnd end =
      stop_after_lines(shell("n=0; trap 'n=$((n+1))' TERM; echo $$;"
                             "while [ $n = 0 ]; do sleep 0.01; done; sleep 0.1; exit $n"),
                       1);
  EXPECT_EQ(end.exit_code, 1);
}

TEST_F(ProcessEndTest, SigkillFollowsWhenSigtermIsIgnored) {
  ProcessSpec spec = shell("trap '' TERM; echo $$; while :; do sleep 1000; done");
  spec.stop_grace = 50ms;
  ProcessEnd end = stop_after_lines(spec, 1);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_TRUE(end.stopped);
  expect_all_dead();
}

TEST_F(ProcessEndTest, AStoppedProcessIsAskedToo) {
  ProcessSpec spec = shell("trap 'exit 6' TERM; echo $$; kill -STOP $$");
  EXPECT_EQ(stop_after_lines(spec, 1).exit_code, 6);
}

TEST_F(ProcessEndTest, ChildrenInOtherSessionsEndToo) {
  ProcessEnd end = stop_after_lines(
      shell("echo $$; sleep 1000 & echo $!; setsid sh -c 'echo $$; sleep 1000 & wait' & wait"), 3);
  EXPECT_EQ(end.signal, SIGTERM);
  EXPECT_FALSE(end.left_children);
  expect_all_dead();
}

TEST_F(ProcessEndTest, ADaemonOfALivingProcessEndsWithIt) {
  ProcessSpec spec = shell(
      "setsid sh -c '(setsid sh -c \"trap : TERM; echo \\$\\$; while :; do sleep 1000; done\" &)';"
      "echo $$; exec sleep 1000");
  spec.stop_grace = 50ms;
  ProcessEnd end = stop_after_lines(spec, 2);
  EXPECT_EQ(end.signal, SIGTERM);
  expect_all_dead();
}

TEST_F(ProcessEndTest, ChildrenLeftBehindAreEnded) {
  ProcessEnd end = run(shell("sleep 1000 & echo $!; exit 4"));
  EXPECT_EQ(end.exit_code, 4);
  EXPECT_TRUE(end.left_children);
  EXPECT_FALSE(end.stopped);
  take_pids();
  ASSERT_EQ(pids_.size(), 1u);
  expect_all_dead();
}

TEST_F(ProcessEndTest, AChildLeftBehindHasItsGrace) {
  ProcessEnd end = run(in_scratch(
      "mkfifo up; (trap 'echo cleaned; exit' TERM; echo > up; while :; do sleep 0.01; done) & "
      "read up < up; exit 0"));
  EXPECT_TRUE(end.left_children);
  EXPECT_EQ(witness_.output(), "cleaned\n");
}

TEST_F(ProcessEndTest, ADaemonLeftBehindIsFoundByItsMarker) {
  ProcessSpec spec = in_scratch(
      "mkfifo up; setsid -f setsid -f sh -c"
      " 'trap : TERM; echo $$ > up; while :; do sleep 1000; done';"
      "read pid < up; echo $pid; exit 0");
  spec.stop_grace = 50ms;
  ProcessEnd end = run(spec);
  EXPECT_TRUE(end.left_children);
  take_pids();
  ASSERT_EQ(pids_.size(), 1u);
  expect_all_dead();
}

TEST_F(ProcessEndTest, ADaemonWithoutMarkerIsFoundToo) {
  ProcessSpec spec = in_scratch(
      "mkfifo up; setsid -f env -i /bin/sh -c"
      " 'trap \"\" TERM; echo $$ > up; while :; do /bin/sleep 1000; done';"
      "read pid < up; echo $pid; exit 0");
  spec.stop_grace = 50ms;
  ProcessEnd end = run(spec);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.left_children);
  take_pids();
  ASSERT_EQ(pids_.size(), 1u);
  expect_all_dead();
}

TEST_F(ProcessEndTest, AZombieLeftBehindIsNoChildLeft) {
  host_->start(in_scratch("mkfifo go hold; cat hold & echo $!; exec cat go"), witness_.callbacks());
  pid_t pid = std::stoi(witness_.wait_line());
  // The child may end only when its parent is no shell any more: that would reap it.
  std::string parent = fmt::format("/proc/{}/comm", read_stat(pid).value().parent);
  for (std::string name; name != "cat"; std::ifstream(parent) >> name) std::this_thread::yield();
  std::ofstream(directory_.path() + "/hold").flush();
  while (read_stat(pid).value().state != 'Z') std::this_thread::yield();
  std::ofstream(directory_.path() + "/go").flush();
  EXPECT_FALSE(witness_.wait_end().left_children);
}

TEST_F(ProcessEndTest, OthersAreLeftAlone) {
  Witness other;
  ProcessId id = host_->start(shell("echo $$; exec sleep 1000"), other.callbacks());
  pid_t pid = std::stoi(other.wait_line());
  run(shell("setsid env -i /bin/sleep 1000 & sleep 0.05"));
  EXPECT_TRUE(is_alive(pid));
  host_->stop(id);
  other.wait_end();
}

TEST_F(ProcessEndTest, AProcessThatForksWithoutEndIsCaught) {
  ProcessSpec spec = shell("");
  spec.argv = {own_program(), "hop", "stay"};
  spec.stop_grace = 20ms;
  EXPECT_TRUE(stop_after_lines(spec, 1).stopped);
  EXPECT_EQ(hoppers(), 0u);
}

TEST_F(ProcessEndTest, AProcessThatForksWithoutEndAfterItsParentIsCaught) {
  ProcessSpec spec = shell("");
  spec.argv = {own_program(), "hop", "leave"};
  spec.stop_grace = 20ms;
  EXPECT_TRUE(run(spec).left_children);
  EXPECT_EQ(hoppers(), 0u);
}

TEST_F(ProcessEndTest, AnOrphanOfALivingProcessLivesWithIt) {
  ProcessSpec spec = in_scratch("");
  spec.argv = {own_program(), "loose",
               "mkfifo up; setsid -f setsid -f sh -c"
               " 'trap : TERM; echo $$ > up; while :; do sleep 1000; done';"
               "read pid < up; echo $pid; echo $$; exec sleep 1000"};
  spec.stop_grace = 50ms;
  ProcessEnd end = stop_after_lines(spec, 2);
  EXPECT_EQ(end.signal, SIGTERM);
  EXPECT_FALSE(end.left_children);
  expect_all_dead();
}

TEST_F(ProcessEndTest, AnOutsiderThatHoldsThePipeDelaysNothing) {
  ProcessId id = host_->start(shell("echo $$; exec sleep 1000"), witness_.callbacks());
  std::string pid = witness_.wait_line();
  UniqueFd held(::open(fmt::format("/proc/{}/fd/1", pid).c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(held);
  host_->stop(id);
  EXPECT_EQ(witness_.wait_end().signal, SIGTERM);
}

TEST_F(ProcessEndTest, AnEndedOrUnknownIdIsIgnored) {
  host_->stop(0);
  host_->stop(12345);
  Witness witness;
  ProcessId id = host_->start(shell("exit 0"), witness.callbacks());
  witness.wait_end();
  host_->stop(id);
  EXPECT_EQ(run(shell("exit 3")).exit_code, 3);
}

TEST_F(ProcessEndTest, TheHostEndsItsProcessesWhenItGoes) {
  ProcessSpec polite = shell("trap 'exit 5' TERM; echo $$; while :; do sleep 0.01; done");
  ProcessSpec rude = shell("trap '' TERM; echo $$; while :; do sleep 1000; done");
  rude.stop_grace = 30ms;
  Witness rude_witness;
  host_->start(polite, witness_.callbacks());
  host_->start(rude, rude_witness.callbacks());
  pids_ = {std::stoi(witness_.wait_line()), std::stoi(rude_witness.wait_line())};
  host_.reset();
  expect_all_dead();
  EXPECT_EQ(witness_.wait_end().exit_code, 5);
  EXPECT_EQ(rude_witness.wait_end().signal, SIGKILL);
  EXPECT_TRUE(rude_witness.wait_end().stopped);
}

}  // namespace
}  // namespace exec
