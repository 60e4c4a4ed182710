// Starting processes, what goes in and what comes out.
#include "exec/process.h"

#include <fmt/format.h>

#include <fstream>
#include <future>

#include "exec/test_host.h"

namespace exec {
namespace {

TEST_F(ProcessTest, ReportsExitCodeAndSignal) {
  EXPECT_EQ(run(shell("exit 7")).exit_code, 7);
  Witness killed;
  ProcessEnd end = run(shell("kill -USR1 $$"), killed);
  EXPECT_EQ(end.signal, SIGUSR1);
  EXPECT_FALSE(end.stopped);
  EXPECT_FALSE(end.left_children);
}

TEST_F(ProcessTest, DeliversLinesOfBothStreamsBeforeTheEnd) {
  auto before = clock_.now();
  run(shell("echo one; echo two >&2; printf 'three'"));
  auto lines = witness_.lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(witness_.output(), "one\nthree\n");
  for (const LogLine& line : lines) {
    EXPECT_EQ(line.from_stderr, line.text == "two");
    EXPECT_GE(line.time, before);
  }
}

TEST_F(ProcessTest, LooksUpTheProgramInItsOwnPath) {
  std::filesystem::create_directory(directory_.path() + "/bin");
  std::ofstream(directory_.path() + "/bin/hello") << "#!/bin/sh\necho found $1\n";
  std::filesystem::permissions(directory_.path() + "/bin/hello", std::filesystem::perms(0755));
  ProcessSpec spec = shell("");
  spec.argv = {"hello", "you"};
  spec.environment = {"PATH=/nowhere:" + directory_.path() + "/bin:/usr/bin"};
  EXPECT_EQ(run(spec).exit_code, 0);
  EXPECT_EQ(witness_.output(), "found you\n");
}

struct BadStart {
  const char* name;
  base::ErrorCode code;
  const char* part;  // of the message
  void (*spoil)(ProcessSpec&);
};

class BadStartTest : public ProcessTest, public testing::WithParamInterface<BadStart> {};

TEST_P(BadStartTest, IsReportedInTheEnd) {
  ProcessSpec spec = shell("echo never");
  GetParam().spoil(spec);
  ProcessEnd end = run(spec);
  ASSERT_TRUE(end.start_error);
  EXPECT_EQ(end.start_error->code, GetParam().code) << end.start_error->message;
  EXPECT_NE(end.start_error->message.find(GetParam().part), std::string::npos)
      << end.start_error->message;
  EXPECT_TRUE(witness_.lines().empty());
}

using base::ErrorCode;
const BadStart bad_starts[] = {
    {"NoProgramPath", ErrorCode::not_found, "\"/no/such\": No such file or directory",
     [](ProcessSpec& s) { s.argv[0] = "/no/such"; }},
    {"NoProgramInPath", ErrorCode::not_found, "\"no-such-program\"",
     [](ProcessSpec& s) { s.argv[0] = "no-such-program"; }},
    {"NotExecutable", ErrorCode::forbidden, "/etc/passwd",
     [](ProcessSpec& s) { s.argv[0] = "/etc/passwd"; }},
    {"NoDirectory", ErrorCode::not_found, "working directory \"/no/such\"",
     [](ProcessSpec& s) { s.working_directory = "/no/such"; }},
    {"EmptyDirectory", ErrorCode::not_found, "working directory \"\"",
     [](ProcessSpec& s) { s.working_directory.clear(); }},
    {"NoArguments", ErrorCode::invalid, "no program", [](ProcessSpec& s) { s.argv.clear(); }},
    {"ZeroByte", ErrorCode::invalid, "zero byte", [](ProcessSpec& s) { s.argv[2] += '\0'; }},
    {"BadVariable", ErrorCode::invalid, "NAME=value",
     [](ProcessSpec& s) { s.environment.push_back("NAME"); }},
    {"HugeArgument", ErrorCode::too_large, "cannot start program",
     [](ProcessSpec& s) { s.argv.push_back(std::string(200'000, 'x')); }},
    {"HugeRequest", ErrorCode::too_large, "too large",
     [](ProcessSpec& s) {
       s.argv.push_back(std::string(base::limits::process_request_bytes_max, 'x'));
     }},
    {"TwoResults", ErrorCode::invalid, "not both",
     [](ProcessSpec& s) {
       s.stdout_mode = OutputMode::result;
       s.result_channel = true;
     }},
};
INSTANTIATE_TEST_SUITE_P(All, BadStartTest, testing::ValuesIn(bad_starts),
                         [](const auto& info) { return info.param.name; });

TEST_F(ProcessTest, GivesTheEnvironmentAndNothingElse) {
  ::setenv("DAGY_TEST_SECRET", "from the server", 1);
  ProcessSpec spec = shell("");
  spec.argv = {"/usr/bin/env"};
  spec.environment = {"A=1", "EMPTY=", "DAGY_ATTEMPT_TOKEN=forged"};
  run(spec);
  auto lines = witness_.lines();
  ASSERT_EQ(lines.size(), 3u) << witness_.output();
  EXPECT_TRUE(lines[0].text.starts_with("DAGY_ATTEMPT_TOKEN="));
  EXPECT_NE(lines[0].text, "DAGY_ATTEMPT_TOKEN=forged");
  EXPECT_EQ(lines[1].text, "A=1");
  EXPECT_EQ(lines[2].text, "EMPTY=");
}

TEST_F(ProcessTest, PassesAnEnvironmentOfAMebibyte) {
  ProcessSpec spec = shell("cat /proc/self/environ | wc -c");
  for (int i = 0; i < 16; ++i)
    spec.environment.push_back(fmt::format("V{:02}={}", i, std::string(65532, 'v')));
  EXPECT_EQ(run(spec).exit_code, 0);
  EXPECT_GT(std::stoul(witness_.output()), 16u * 65536);
}

TEST_F(ProcessTest, GivesAFreshProcess) {
  ProcessSpec spec = shell(
      "pwd; umask; ulimit -c; grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status;"
      "ls /proc/self/fd; cut -d' ' -f5,6 /proc/$$/stat; echo $$");
  spec.working_directory = directory_.path();
  run(spec);
  std::string pid = witness_.wait_line(witness_.lines().size() - 1);
  // ls itself opens the directory as 3.
  EXPECT_EQ(witness_.output(), fmt::format("{}\n0022\n0\nSigBlk:\t{:016}\nSigIgn:\t{:016}\n"
                                           "NoNewPrivs:\t1\n0\n1\n2\n3\n{} {}\n{}\n",
                                           directory_.path(), 0, 0, pid, pid, pid));
}

TEST_F(ProcessTest, AppliesLimits) {
  ProcessSpec spec = shell("ulimit -d; ulimit -t; ulimit -f");
  spec.memory_bytes_max = 64u << 20;
  spec.cpu_seconds_max = 3;
  spec.file_bytes_max = 1u << 20;
  run(spec);
  EXPECT_EQ(witness_.output(), "65536\n3\n2048\n");
}

TEST_F(ProcessTest, WritesStandardInput) {
  ProcessSpec small = shell("cat");
  small.stdin_data = "hello\nyou";
  run(small);
  EXPECT_EQ(witness_.output(), "hello\nyou\n");

  Witness big;
  ProcessSpec spec = shell("wc -c");
  spec.stdin_data = std::string(5'000'000, 'x');
  run(spec, big);
  EXPECT_EQ(big.output(), "5000000\n");

  Witness none;
  run(shell("cat; echo end"), none);
  EXPECT_EQ(none.output(), "end\n");
}

TEST_F(ProcessTest, SurvivesAProcessThatDoesNotReadItsInput) {
  ProcessSpec spec = shell("exec <&-; echo closed");
  spec.stdin_data = std::string(5'000'000, 'x');
  EXPECT_EQ(run(spec).exit_code, 0);
  EXPECT_EQ(witness_.output(), "closed\n");
}

TEST_F(ProcessTest, ReadsTheResultChannel) {
  ProcessSpec spec = shell("echo line; printf '{\"a\":1}\\n' >&3");
  spec.result_channel = true;
  EXPECT_EQ(run(spec).result, "{\"a\":1}\n");
  EXPECT_EQ(witness_.output(), "line\n");
}

TEST_F(ProcessTest, TakesStandardOutputAsTheResult) {
  ProcessSpec spec = shell("printf 'a\\nb'; echo log >&2");
  spec.stdout_mode = OutputMode::result;
  EXPECT_EQ(run(spec).result, "a\nb");
  ASSERT_EQ(witness_.lines().size(), 1u);
  EXPECT_TRUE(witness_.lines()[0].from_stderr);
}

TEST_F(ProcessTest, KillsAProcessWhoseResultIsTooLarge) {
  ProcessSpec spec = shell("trap '' TERM; printf 123456 >&3; while :; do sleep 1000; done");
  spec.result_channel = true;
  spec.result_bytes_max = 5;
  ProcessEnd end = run(spec);
  EXPECT_TRUE(end.result_too_large);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_TRUE(end.result.empty());
  EXPECT_FALSE(end.stopped);

  Witness exact;
  spec = shell("printf 12345 >&3");
  spec.result_channel = true;
  spec.result_bytes_max = 5;
  EXPECT_EQ(run(spec, exact).result, "12345");
}

TEST_F(ProcessTest, KillsAnEndlessResult) {
  ProcessSpec spec = shell("exec cat /dev/zero");
  spec.stdout_mode = OutputMode::result;
  spec.result_bytes_max = 1u << 20;
  EXPECT_TRUE(run(spec).result_too_large);
}

TEST_F(ProcessTest, CutsALineWithoutEnd) {
  run(shell("head -c 100000000 /dev/zero; echo; echo next"));
  auto lines = witness_.lines();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].text, std::string(base::limits::log_line_bytes_max, '\0'));
  EXPECT_TRUE(lines[0].cut);
  EXPECT_EQ(lines[1].text, "next");
}

TEST_F(ProcessTest, HandsOverAGigabyteInPiecesOfAPipe) {
  std::size_t bytes = 0, batch_max = 0;
  Witness witness;
  ProcessCallbacks callbacks = witness.callbacks();
  callbacks.on_lines = [&](std::vector<LogLine> lines) {
    std::size_t batch = 0;
    for (const LogLine& line : lines) batch += line.text.size() + 1;
    bytes += batch;
    batch_max = std::max(batch_max, batch);
  };
  std::string line(4095, 'x');
  host_->start(shell(fmt::format("yes {} | head -c {}", line, 1u << 30)), callbacks);
  EXPECT_EQ(witness.wait_end().exit_code, 0);
  EXPECT_EQ(bytes, 1u << 30);
  EXPECT_LE(batch_max, 2 * base::limits::log_line_bytes_max);
}

TEST_F(ProcessTest, WaitsForAProcessThatHasClosedItsOutput) {
  ProcessSpec spec = shell("exec >&- 2>&-; cat >/dev/null; exit 3");
  spec.stdin_data = std::string(1'000'000, 'x');
  EXPECT_EQ(run(spec).exit_code, 3);
}

TEST_F(ProcessTest, RunsManyAtOnce) {
  constexpr int count = 200;
  std::vector<Witness> witnesses(count);
  for (int i = 0; i < count; ++i) {
    ProcessSpec spec = shell(fmt::format("read word; echo $word {}; exit {}", i, i % 100));
    spec.stdin_data = "process\n";
    host_->start(std::move(spec), witnesses[i].callbacks());
  }
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ(witnesses[i].wait_end().exit_code, i % 100);
    EXPECT_EQ(witnesses[i].output(), fmt::format("process {}\n", i));
  }
}

TEST_F(ProcessTest, ASlowConsumerLosesNothing) {
  std::promise<void> release;
  Witness slow;
  ProcessCallbacks callbacks = slow.callbacks();
  callbacks.on_lines = [wait = release.get_future().share()](std::vector<LogLine>) { wait.wait(); };
  host_->start(shell("echo"), callbacks);
  std::vector<Witness> witnesses(100);  // more ends than the socket holds
  for (Witness& witness : witnesses) host_->start(shell("echo x"), witness.callbacks());
  release.set_value();
  for (Witness& witness : witnesses) witness.wait_end();
  for (Witness& witness : witnesses) EXPECT_EQ(witness.output(), "x\n");
}

TEST_F(ProcessTest, StartsFromItsOwnCallbacks) {
  Witness last;
  ProcessCallbacks first;
  first.on_end = [&](ProcessEnd) { host_->start(shell("echo second"), last.callbacks()); };
  host_->start(shell("echo first"), first);
  last.wait_end();
  EXPECT_EQ(last.output(), "second\n");
}

TEST_F(ProcessTest, LeaksNoDescriptor) {
  auto round = [this] {
    std::vector<Witness> witnesses(20);
    for (std::size_t i = 0; i < witnesses.size(); ++i) {
      ProcessSpec spec = shell(i % 5 == 0 ? "exit 1" : "echo a; cat");
      spec.stdin_data = "x";
      spec.result_channel = true;
      if (i % 7 == 0) spec.argv[0] = "/no/such";
      host_->start(std::move(spec), witnesses[i].callbacks());
    }
    for (Witness& witness : witnesses) witness.wait_end();
  };
  round();
  std::size_t before = open_descriptors();
  round();
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(ProcessTest, TheSpawnerLeaksNoDescriptor) {
  // The least of some looks: the spawner closes what it passed on while the process runs already.
  ProcessSpec spec =
      shell("for i in 1 2 3 4 5 6 7 8; do ls /proc/$PPID/fd | wc -l; done | sort -n | head -n 1");
  run(spec);
  for (int i = 0; i < 10; ++i) {
    Witness witness;
    ProcessSpec failing = shell("");
    failing.argv[0] = "/no/such";
    failing.stdin_data = "x";
    failing.result_channel = true;
    run(failing, witness);
  }
  Witness after;
  run(spec, after);
  EXPECT_EQ(after.output(), witness_.output());
}

}  // namespace
}  // namespace exec
