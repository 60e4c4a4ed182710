// Attempts in namespaces of their own. Where the machine has none these tests are skipped.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <future>

#include "exec/process_tree.h"
#include "exec/test_host.h"

namespace exec {
namespace {

using namespace std::chrono_literals;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A host with isolation; a run directory and an allowed one.
class IsolationTest : public testing::Test {
 protected:
  void SetUp() override {
    // Open to the users that attempts have, when this test is root.
    for (const std::string& path : {directory_.path(), allowed_.path()})
      ::chmod(path.c_str(), 0777);
    std::filesystem::create_directories(run_directory());
    start_host();
    if (host_->isolation().level == IsolationLevel::none)
      GTEST_SKIP() << "absent here: " << host_->isolation().reason;
  }
  void start_host() {
    auto options = host_options(directory_.path());
    options.isolate = true;
    options.allowed_paths = {allowed_.path()};
    auto host = ProcessHost::create(std::move(options), clock_);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(host).value();
  }
  std::string run_directory(const std::string& run = "run_1") const {
    return directory_.path() + "/work/" + run;
  }
  ProcessSpec script(const std::string& text, const std::string& run = "run_1") const {
    ProcessSpec spec = shell(text);
    spec.organization = "org_a";
    spec.run_directory = spec.working_directory = run_directory(run);
    return spec;
  }
  ProcessEnd run(ProcessSpec spec) {
    host_->start(std::move(spec), witness_.callbacks());
    return witness_.wait_end();
  }
  /// Ids of all processes that have this text in their command line, on this machine.
  static std::vector<pid_t> processes_with(const std::string& text) {
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      if (read_file(entry.path() / "cmdline").find(text) == std::string::npos) continue;
      auto stat = read_stat(std::atoi(entry.path().filename().c_str()));
      if (stat && stat->state != 'Z') found.push_back(std::stoi(entry.path().filename()));
    }
    return found;
  }
  static pid_t spawner() {
    for (pid_t pid : OwnChildren().list())
      if (read_file(fmt::format("/proc/{}/comm", pid)) == "dagy-spawner\n") return pid;
    return -1;
  }

  base::SystemClock clock_;
  base::TemporaryDirectory directory_;
  base::TemporaryDirectory allowed_;
  Witness witness_;
  std::unique_ptr<ProcessHost> host_;
};

TEST_F(IsolationTest, SeesOfTheDataDirectoryOnlyItsRun) {
  std::ofstream(directory_.path() + "/secret") << "x";
  std::filesystem::create_directories(run_directory("run_2"));
  run(script(
      fmt::format("ls -A {0}; ls -A {0}/work; echo kept >file; echo end", directory_.path())));
  EXPECT_EQ(witness_.output(), "work\nrun_1\nend\n");
  EXPECT_EQ(read_file(run_directory() + "/file"), "kept\n");
}

TEST_F(IsolationTest, ADirectoryOutsideOfTheRunsIsRefused) {
  for (const std::string& path :
       {directory_.path(), directory_.path() + "/work", run_directory() + "/..",
        std::string("/etc"), run_directory() + "/deeper", run_directory("..")}) {
    Witness witness;
    ProcessSpec spec = script("echo never");
    spec.run_directory = path;
    host_->start(std::move(spec), witness.callbacks());
    EXPECT_TRUE(witness.wait_end().start_error) << path;
  }
  std::filesystem::create_directory_symlink("/etc", run_directory("link"));
  EXPECT_TRUE(run(script("echo never", "link")).start_error);
}

TEST_F(IsolationTest, HasNoPrivilegesAndALimitOfProcesses) {
  ProcessSpec spec = script("grep -E '^(Cap|NoNewPrivs)' /proc/self/status; ulimit -p; ulimit -n");
  spec.processes_max = 77;
  run(spec);
  std::string none = fmt::format("{:016x}", 0);
  EXPECT_EQ(witness_.output(),
            fmt::format("CapInh:\t{0}\nCapPrm:\t{0}\nCapEff:\t{0}\nCapBnd:\t{0}\nCapAmb:\t{0}\n"
                        "NoNewPrivs:\t1\n77\n{1}\n",
                        none, base::limits::attempt_open_files_soft));
}

TEST_F(IsolationTest, AForkBombEndsAtItsLimit) {
  ProcessSpec spec = script("for i in $(seq 200); do sleep 600 & done; exit 0");
  spec.processes_max = 50;
  spec.stop_grace = 100ms;
  run(spec);
  EXPECT_TRUE(processes_with(run_directory()).empty());
  Witness after;
  host_->start(script("echo well"), after.callbacks());
  after.wait_end();
  EXPECT_EQ(after.output(), "well\n");
}

TEST_F(IsolationTest, WritesOnlyWhereItMay) {
  run(script(
      fmt::format("for d in / /etc /var/tmp /usr /run {0} {0}/work; do echo x >$d/f && echo $d; "
                  "done 2>/dev/null; echo x >/tmp/f && echo x >{1}/f && echo x >f && echo end",
                  directory_.path(), allowed_.path())));
  EXPECT_EQ(witness_.output(), "end\n");
  EXPECT_TRUE(std::filesystem::exists(allowed_.path() + "/f"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/f"));
}

TEST_F(IsolationTest, NothingStaysInPrivateDirectories) {
  run(script("echo x >/tmp/left; echo x >/dev/shm/left; exit 0"));
  Witness next;
  host_->start(script("ls /tmp/left /dev/shm/left; echo end"), next.callbacks());
  next.wait_end();
  EXPECT_EQ(next.output(), "end\n");
}

TEST_F(IsolationTest, RunsOfOneOrganizationHaveOneUserOthersAnother) {
  if (::geteuid() != 0) GTEST_SKIP() << "absent here: root";
  std::filesystem::create_directories(run_directory("run_2"));
  std::filesystem::create_directories(run_directory("run_3"));
  std::string ids[3];
  for (int i = 0; i < 3; ++i) {
    Witness witness;
    ProcessSpec spec = script("id -u", fmt::format("run_{}", i + 1));
    if (i == 2) spec.organization = "org_b";
    host_->start(std::move(spec), witness.callbacks());
    witness.wait_end();
    ids[i] = witness.output();
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_NE(ids[0], ids[2]);
  EXPECT_GT(std::stoul(ids[0]), 65535u);
}

TEST_F(IsolationTest, SigtermReachesEverythingThenSigkill) {
  ProcessSpec spec = script(
      "trap 'echo bye; exit 5' TERM; setsid sh -c 'trap \"\" TERM; echo up; exec sleep 1000' & "
      "echo up; while :; do sleep 0.01; done");
  spec.stop_grace = 100ms;
  ProcessId id = host_->start(std::move(spec), witness_.callbacks());
  witness_.wait_line(1);
  host_->stop(id);
  ProcessEnd end = witness_.wait_end();
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_TRUE(end.stopped);
  EXPECT_TRUE(processes_with(run_directory()).empty());
}

TEST_F(IsolationTest, SignalsAndExitCodesAreThoseOfTheProgram) {
  EXPECT_EQ(run(script("exit 7")).exit_code, 7);
  Witness killed;
  host_->start(script("kill -KILL $$"), killed.callbacks());
  EXPECT_EQ(killed.wait_end().signal, SIGKILL);
}

TEST_F(IsolationTest, AnIsolatedDaemonEndsToo) {
  ProcessSpec spec =
      script(fmt::format("setsid -f env -i /bin/sh -c 'trap \"\" TERM; echo up >{0}/up; "
                         "while :; do /bin/sleep 1000; done' {1} >/dev/null 2>&1 3>&1;"
                         "while ! [ -e {0}/up ]; do sleep 0.01; done; exit 0",
                         allowed_.path(), run_directory()));
  spec.stop_grace = 50ms;
  ProcessEnd end = run(spec);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_TRUE(end.left_children);
  EXPECT_TRUE(processes_with(run_directory()).empty());
}

TEST_F(IsolationTest, TheDeathOfTheSpawnerEndsEverything) {
  ProcessSpec spec =
      script(fmt::format("setsid -f env -i /bin/sh -c 'trap \"\" TERM; echo up; "
                         "while :; do /bin/sleep 1000; done' {0}; exec sleep 1000",
                         run_directory()));
  std::promise<void> told;
  host_->on_spawner_death([&] { told.set_value(); });
  host_->start(std::move(spec), witness_.callbacks());
  witness_.wait_line();
  EXPECT_FALSE(processes_with(run_directory()).empty());
  ::kill(spawner(), SIGKILL);
  told.get_future().wait();
  EXPECT_TRUE(processes_with(run_directory()).empty());
  EXPECT_EQ(witness_.wait_end().signal, SIGKILL);
}

TEST_F(IsolationTest, TheDeathOfANestIsTheDeathOfItsAttempt) {
  host_->start(script(fmt::format("setsid -f sleep 1000.5; echo up; exec sleep 1000.5")),
               witness_.callbacks());
  witness_.wait_line();
  for (pid_t pid : processes_with("1000.5")) {
    auto stat = read_stat(pid);
    if (stat) ::kill(stat->parent, SIGKILL);
  }
  EXPECT_EQ(witness_.wait_end().signal, SIGKILL);
  EXPECT_TRUE(processes_with("1000.5").empty());
}

// As one that hangs in execve of a program on a file system that does not answer.
TEST_F(IsolationTest, ANestThatDoesNotAnswerHoldsUpNobodyAndIsKilled) {
  ProcessSpec spec = script("echo up; exec sleep 1001.5");
  spec.stop_grace = 10ms;
  ProcessId id = host_->start(std::move(spec), witness_.callbacks());
  witness_.wait_line();
  for (pid_t pid : processes_with("1001.5")) {
    auto stat = read_stat(pid);
    if (stat) ::kill(stat->parent, SIGSTOP);
  }
  host_->stop(id);
  Witness other;
  host_->start(script("echo well"), other.callbacks());
  other.wait_end();
  EXPECT_EQ(other.output(), "well\n");
  ProcessEnd end = witness_.wait_end();
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_TRUE(end.stopped);
  EXPECT_TRUE(processes_with("1001.5").empty());
}

TEST_F(IsolationTest, ManyAtATime) {
  std::vector<Witness> witnesses(40);
  for (Witness& witness : witnesses) host_->start(script("echo x"), witness.callbacks());
  for (Witness& witness : witnesses) {
    EXPECT_FALSE(witness.wait_end().start_error);
    EXPECT_EQ(witness.output(), "x\n");
  }
}

TEST_F(IsolationTest, AnEmptyEnvironmentIsEmpty) {
  ProcessSpec spec = script("");
  spec.argv = {"/usr/bin/env"};
  spec.environment.clear();
  EXPECT_EQ(run(spec).exit_code, 0);
  EXPECT_TRUE(witness_.lines().empty());
}

}  // namespace
}  // namespace exec
