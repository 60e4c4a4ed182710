// The death of the server, the death of the spawner, the lock between two servers.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fstream>
#include <future>

#include "base/check.h"
#include "exec/process_tree.h"
#include "exec/test_host.h"

namespace exec {

namespace {

using namespace std::chrono_literals;

// Each prints its own id first.
constexpr const char* stubborn_scripts[] = {
    "echo $$; exec sleep 1000",
    "trap '' TERM; echo $$; setsid sh -c 'echo $$; exec sleep 1000' & while :; do sleep 1000; done",
    "setsid -f env -i sh -c 'echo $$; exec sleep 1000'; echo $$; exec sleep 1000",
};
constexpr std::size_t stubborn_lines = 5;

/// A server: starts the scripts, prints the ids it hears of, and waits to be killed.
int serve(const std::string& directory) {
  base::SystemClock clock;
  auto host = ProcessHost::create(host_options(directory), clock);
  if (!host) return 1;
  for (const char* script : stubborn_scripts) {
    ProcessCallbacks callbacks;
    callbacks.on_lines = [](std::vector<LogLine> lines) {
      for (const LogLine& line : lines) {
        std::string text = line.text + "\n";
        CHECK(::write(1, text.data(), text.size()) > 0);
      }
    };
    (*host)->start(shell(script), callbacks);
  }
  ProcessSpec hopper = shell("");
  hopper.argv = {own_program(), "hop", "stay"};
  (*host)->start(hopper, {});
  for (;;) ::pause();
}

/// Forks, ends, and goes on in the child in a session of its own, without end. Three at a time.
int hop(bool stay) {
  ::prctl(PR_SET_NAME, "dagy-hopper");
  ::signal(SIGTERM, SIG_IGN);
  for (int i = 0; i < 3; ++i) {
    if (::fork() != 0) continue;
    for (;;) {
      if (::fork() > 0) ::_exit(0);
      ::setsid();
    }
  }
  std::string pid = std::to_string(::getpid()) + "\n";
  CHECK(::write(1, pid.data(), pid.size()) > 0);
  while (stay) ::pause();
  return 0;
}

/// A shell that is no subreaper: what it leaves comes to the spawner while it lives.
int loose_shell(const char* script) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
  return ::execl("/bin/sh", "sh", "-c", script, nullptr);
}

/// `serve` as a process of its own.
class Server {
 public:
  explicit Server(const std::string& directory) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    std::string program = own_program(), word = "serve", path = directory;
    char* arguments[] = {program.data(), word.data(), path.data(), nullptr};
    CHECK(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
  }
  ~Server() { ::fclose(output_); }

  std::vector<pid_t> wait_for_pids() {
    std::vector<pid_t> pids(stubborn_lines);
    for (pid_t& pid : pids) CHECK(::fscanf(output_, "%d", &pid) == 1);
    return pids;
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

TEST(Spawner, EndsEverythingWhenTheServerIsKilled) {
  base::TemporaryDirectory directory;
  Server server(directory.path());
  auto pids = server.wait_for_pids();
  for (pid_t pid : pids) EXPECT_TRUE(is_alive(pid));
  server.kill();
  base::SystemClock clock;
  auto next = ProcessHost::create(host_options(directory.path()), clock);
  ASSERT_TRUE(next) << next.error().message;
  for (pid_t pid : pids) EXPECT_FALSE(is_alive(pid)) << pid;
  EXPECT_EQ(hoppers(), 0u);
}

TEST(Spawner, ASecondHostWaitsForTheLock) {
  base::TemporaryDirectory directory;
  base::SystemClock clock;
  auto first = ProcessHost::create(host_options(directory.path()), clock);
  ASSERT_TRUE(first);

  auto impatient = host_options(directory.path());
  impatient.lock_wait = 30ms;
  std::size_t before = open_descriptors();
  auto refused = ProcessHost::create(impatient, clock);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::ErrorCode::unavailable);
  EXPECT_EQ(open_descriptors(), before);

  auto second = std::async(std::launch::async, [&] {
    return ProcessHost::create(host_options(directory.path()), clock);
  });
  EXPECT_EQ(second.wait_for(50ms), std::future_status::timeout);
  first->reset();
  EXPECT_TRUE(second.get());
}

TEST(Spawner, ThatCannotStartIsAnError) {
  base::TemporaryDirectory directory;
  base::SystemClock clock;
  auto no_program = host_options(directory.path());
  no_program.spawner_path = "/no/such";
  EXPECT_FALSE(ProcessHost::create(no_program, clock));
  auto not_a_spawner = host_options(directory.path());
  not_a_spawner.spawner_path = "/bin/true";
  EXPECT_FALSE(ProcessHost::create(not_a_spawner, clock));
  EXPECT_FALSE(ProcessHost::create(host_options(directory.path() + "/missing"), clock));
}

TEST(Spawner, TheLockFileIsPrivate) {
  base::TemporaryDirectory directory;
  base::SystemClock clock;
  auto host = ProcessHost::create(host_options(directory.path()), clock);
  ASSERT_TRUE(host);
  auto status = std::filesystem::status(directory.path() + "/spawner.lock");
  EXPECT_EQ(status.permissions(), std::filesystem::perms(0600));
}

class SpawnerDeathTest : public ProcessTest {
 protected:
  static pid_t spawner() {
    for (pid_t pid : OwnChildren().list()) {
      std::string name;
      std::ifstream(fmt::format("/proc/{}/comm", pid)) >> name;
      if (name == "dagy-spawner") return pid;
    }
    ADD_FAILURE() << "no spawner";
    return -1;
  }
};

TEST_F(SpawnerDeathTest, IsReportedAndLeavesNothing) {
  std::promise<void> told;
  host_->on_spawner_death([&] { told.set_value(); });
  Witness other;
  host_->start(shell("echo $$; setsid sh -c 'echo $$; exec sleep 1000' & wait"),
               witness_.callbacks());
  host_->start(shell("echo $$; sleep 1000"), other.callbacks());
  pid_t pids[] = {std::stoi(witness_.wait_line(0)), std::stoi(witness_.wait_line(1)),
                  std::stoi(other.wait_line(0))};
  ::kill(spawner(), SIGKILL);
  told.get_future().wait();
  EXPECT_EQ(witness_.wait_end().signal, SIGKILL);
  EXPECT_EQ(other.wait_end().signal, SIGKILL);
  for (pid_t pid : pids) {
    auto stat = read_stat(pid);
    EXPECT_TRUE(!stat || stat->state == 'Z' || stat->state == 'X') << pid;
  }
  Witness late;
  ProcessEnd end = run(shell("exit 0"), late);
  ASSERT_TRUE(end.start_error);
  EXPECT_EQ(end.start_error->code, base::ErrorCode::unavailable);
  std::promise<void> told_late;
  host_->on_spawner_death([&] { told_late.set_value(); });
  told_late.get_future().wait();
}

TEST_F(SpawnerDeathTest, LeavesTheLockToTheNextHost) {
  ::kill(spawner(), SIGKILL);
  auto next = ProcessHost::create(host_options(directory_.path()), clock_);
  EXPECT_TRUE(next);
}

TEST(Spawner, TheNextOneEndsWhatOutlivedAKilledOne) {
  base::TemporaryDirectory directory;
  struct stat status {};
  std::ofstream(directory.path() + "/spawner.lock").flush();
  ASSERT_EQ(::stat((directory.path() + "/spawner.lock").c_str(), &status), 0);
  std::string marker =
      fmt::format("{}{}1", marker_name, marker_prefix(status.st_dev, status.st_ino));
  std::string program = "/bin/sleep", time = "1000";
  char* arguments[] = {program.data(), time.data(), nullptr};
  char* environment[] = {marker.data(), nullptr};
  pid_t left = -1;
  ASSERT_EQ(::posix_spawn(&left, program.c_str(), nullptr, nullptr, arguments, environment), 0);
  base::SystemClock clock;
  auto host = ProcessHost::create(host_options(directory.path()), clock);
  EXPECT_TRUE(host);
  int wait_status = 0;
  ::waitpid(left, &wait_status, 0);
  EXPECT_EQ(WTERMSIG(wait_status), SIGKILL);
}

}  // namespace

std::optional<int> run_helper(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "spawner") {
    return run_spawner({argv + 2, argv + argc});
  }
  if (argc == 3 && std::string_view(argv[1]) == "serve") return serve(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "loose") return loose_shell(argv[2]);
  if (argc == 3 && std::string_view(argv[1]) == "hop") {
    return hop(std::string_view(argv[2]) == "stay");
  }
  return std::nullopt;
}

}  // namespace exec
