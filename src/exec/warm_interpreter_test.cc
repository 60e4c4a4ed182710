// Warm Python interpreters, isolated and not: the same answers as a fresh one, and their ends.
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "exec/process_tree.h"
#include "exec/python_program.h"
#include "exec/test_host.h"

namespace exec {
namespace {

using namespace std::chrono_literals;

class WarmTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ::chmod(directory_.path().c_str(), 0777);
    auto options = host_options(directory_.path());
    options.isolate = GetParam();
    auto host = ProcessHost::create(std::move(options), clock_);
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(host).value();
    if (GetParam() && host_->isolation().level == IsolationLevel::none)
      GTEST_SKIP() << "absent here: " << host_->isolation().reason;
  }
  ProcessSpec python(const std::string& code, WarmStart warm, const std::string& inputs = "{}",
                     const std::string& run = "run_1") {
    ProcessSpec spec;
    spec.argv = {
        "/usr/bin/python3", "-I", "-u", "-c", std::string(python_program()), "", "code", "spawn"};
    spec.organization = "org_a";
    spec.run_directory = spec.working_directory = directory_.path() + "/work/" + run;
    std::filesystem::create_directories(spec.run_directory);
    spec.environment = {"PATH=/usr/bin:/bin",    "LANG=C.UTF-8",   "HOME=" + spec.run_directory,
                        "DAGY_RUN_ID=" + run,    "DAGY_TASK_ID=t", "DAGY_ATTEMPT=1",
                        "DAGY_IDEMPOTENCY_KEY=k"};
    spec.stdin_data = fmt::format("{} main\n{}{}", code.size(), code, inputs);
    spec.result_channel = true;
    spec.warm = warm;
    spec.warm_code = code;
    return spec;
  }
  struct Answer {
    std::string result;
    std::string output;  // of both streams, standard error last
    int exit_code = 0;
    int signal = 0;
    bool operator==(const Answer&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Answer& answer) {
      return out << answer.result << " / " << answer.output << " / " << answer.exit_code << " / "
                 << answer.signal;
    }
  };
  Answer ask(ProcessSpec spec) {
    Witness witness;
    host_->start(std::move(spec), witness.callbacks());
    return answer(witness);
  }
  static Answer answer(Witness& witness) {
    ProcessEnd end = witness.wait_end();
    EXPECT_FALSE(end.start_error) << end.start_error->message;
    std::string errors;
    for (const LogLine& line : witness.lines())
      if (line.from_stderr) errors += line.text + "\n";
    return {end.result, witness.output() + errors, end.exit_code, end.signal};
  }
  Answer ask(const std::string& code, WarmStart warm, const std::string& inputs = "{}") {
    return ask(python(code, warm, inputs));
  }

  base::SystemClock clock_;
  base::TemporaryDirectory directory_;
  std::unique_ptr<ProcessHost> host_;
};

INSTANTIATE_TEST_SUITE_P(All, WarmTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Isolated" : "NotIsolated"; });

constexpr const char* codes[] = {
    "def main():\n    return {'a': [1, 2.5, None, 'ä']}\n",
    "import sys\nprint('loaded')\nprint('warned', file=sys.stderr)\n"
    "def main():\n    print('out'); print('err', file=sys.stderr); return 1\n",
    "def helper():\n    raise ValueError('no')\ndef main():\n    helper()\n",
    "raise KeyError('at import')\n",
    "def main(:\n",
    "x = 1\n",
    "def main():\n    return {1, 2}\n",
    "def main():\n    return float('nan')\n",
    "import sys\ndef main():\n    sys.exit(7)\n",
    "import sys\ndef main():\n    sys.exit('with words')\n",
    "import os\ndef main():\n    os._exit(9)\n",
    "import dagy, os\ndef main():\n    c = dagy.context\n"
    "    return [c.run_id, c.task_id, c.attempt, c.idempotency_key, os.getcwd(),\n"
    "            {n: v for n, v in os.environ.items() if n != 'DAGY_ATTEMPT_TOKEN'}]\n",
    "import sys\ndef main():\n    return [sys.argv, __name__, __file__, sys.stdin.read()]\n",
    "def main():\n    print('no line end', end='')\n",
    "def main(unknown):\n    return unknown\n",
};

TEST_P(WarmTest, AnswersAsAFreshInterpreterDoes) {
  for (const char* code : codes) {
    Answer fresh = ask(code, WarmStart::none);
    EXPECT_EQ(ask(code, WarmStart::fork), fresh) << code;
    EXPECT_EQ(ask(code, WarmStart::fork), fresh) << code;
    EXPECT_EQ(ask(code, WarmStart::worker), fresh) << code;
  }
}

TEST_P(WarmTest, AForkEndsAsAnInterpreterDoes) {
  std::string code =
      "import atexit, threading, time\ndef late():\n    time.sleep(0.05); print('thread')\n"
      "def main():\n    atexit.register(print, 'at exit')\n"
      "    threading.Thread(target=late).start()\n    return 1\n";
  Answer fresh = ask(code, WarmStart::none);
  EXPECT_EQ(fresh.output, "thread\nat exit\n");
  EXPECT_EQ(ask(code, WarmStart::fork), fresh);
}

TEST_P(WarmTest, InputsAreEachAttemptsOwn) {
  std::string code = "def main(x):\n    return x * 2\n";
  std::vector<Witness> witnesses(12);
  for (std::size_t i = 0; i < witnesses.size(); ++i) {
    auto warm = i % 2 == 0 ? WarmStart::fork : WarmStart::worker;
    host_->start(python(code, warm, fmt::format(R"({{"x":{}}})", i), fmt::format("run_{}", i % 3)),
                 witnesses[i].callbacks());
  }
  for (std::size_t i = 0; i < witnesses.size(); ++i)
    EXPECT_EQ(answer(witnesses[i]).result, fmt::format(R"({{"result": {}}})", 2 * i));
}

TEST_P(WarmTest, AForkStartsFromTheLoadedStateAWorkerGoesOn) {
  std::string code = "n = 0\ndef main():\n    global n\n    n += 1\n    return n\n";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(code, WarmStart::fork).result, R"({"result": 1})");
  for (int i = 1; i < 4; ++i)
    EXPECT_EQ(ask(code, WarmStart::worker).result, fmt::format(R"({{"result": {}}})", i));
}

TEST_P(WarmTest, ChildrenOfOneInterpreterDrawDifferentNumbers) {
  std::string code = "import random\ndef main():\n    return random.random()\n";
  std::set<std::string> drawn;
  for (int i = 0; i < 5; ++i) drawn.insert(ask(code, WarmStart::fork).result);
  EXPECT_EQ(drawn.size(), 5u);
}

TEST_P(WarmTest, WhatCannotBeForkedIsStartedFresh) {
  std::string thread =
      "import threading, time\nt = threading.Thread(target=time.sleep, args=(600,), daemon=True)\n"
      "t.start()\ndef main():\n    return threading.active_count()\n";
  std::string socket = "import socket\ns = socket.socket()\ndef main():\n    return 1\n";
  for (int i = 0; i < 2; ++i) {
    Answer threaded = ask(thread, WarmStart::fork);
    EXPECT_EQ(threaded.result, R"({"result": 2})");
    EXPECT_NE(threaded.output.find("leaves a thread"), std::string::npos) << threaded.output;
  }
  Answer connected = ask(socket, WarmStart::worker);
  EXPECT_EQ(connected.result, R"({"result": 1})");
  EXPECT_NE(connected.output.find("leaves a socket"), std::string::npos) << connected.output;
  Answer starter =
      ask("import os\nos.popen('exec sleep 600')\ndef main():\n    return 1\n", WarmStart::fork);
  EXPECT_NE(starter.output.find("starts a process"), std::string::npos) << starter.output;
  Answer gone = ask("import os\nos._exit(3)\n", WarmStart::fork);
  EXPECT_EQ(gone.exit_code, 3);
  EXPECT_NE(gone.output.find("interpreter ended"), std::string::npos) << gone.output;
}

TEST_P(WarmTest, StopEndsOnlyThatAttempt) {
  std::string code =
      "import os, sys, time\ndef main(wait):\n    print('up')\n    sys.stdout.flush()\n"
      "    if wait:\n        os.system('setsid sleep 600.25 &')\n        time.sleep(600)\n";
  for (auto warm : {WarmStart::fork, WarmStart::worker}) {
    Witness stopped, other;
    ProcessId id = host_->start(python(code, warm, R"({"wait":true})"), stopped.callbacks());
    ProcessId second = host_->start(python(code, warm, R"({"wait":true})"), other.callbacks());
    stopped.wait_line();
    other.wait_line();
    host_->stop(id);
    ProcessEnd end = stopped.wait_end();
    EXPECT_TRUE(end.stopped);
    EXPECT_EQ(end.signal, SIGTERM);
    EXPECT_EQ(ask(python(code, warm, R"({"wait":false})")).result, R"({"result": null})");
    host_->stop(second);
    EXPECT_EQ(other.wait_end().signal, SIGTERM);
  }
}

TEST_P(WarmTest, AnAttemptThatWaitsForTheImportCanBeStopped) {
  std::string code = "import time\ntime.sleep(600)\ndef main():\n    pass\n";
  Witness witness;
  ProcessId id = host_->start(python(code, WarmStart::fork), witness.callbacks());
  host_->stop(id);
  EXPECT_TRUE(witness.wait_end().stopped);
}

TEST_P(WarmTest, WhatAnAttemptLeavesBehindEndsWithIt) {
  std::string code =
      "import os\ndef main():\n    os.system('setsid sleep 600.75 & setsid -f sleep 600.75')\n"
      "    return 1\n";
  auto sleepers = [] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      std::string text{std::istreambuf_iterator<char>(file), {}};
      auto stat = read_stat(std::atoi(entry.path().filename().c_str()));
      count += text.find("600.75") != std::string::npos && stat && stat->state != 'Z';
    }
    return count;
  };
  for (auto warm : {WarmStart::fork, WarmStart::worker}) {
    ProcessSpec spec = python(code, warm);
    Witness witness;
    host_->start(std::move(spec), witness.callbacks());
    ProcessEnd end = witness.wait_end();
    EXPECT_EQ(end.result, R"({"result": 1})");
    EXPECT_TRUE(end.left_children);
    EXPECT_EQ(sleepers(), 0u);
  }
}

TEST_P(WarmTest, AnInterpreterThatDiesIsStartedAnew) {
  std::string code =
      "import os, signal\ndef main(kill):\n    if kill:\n        os.kill(os.getpid(), 9)\n"
      "    return 'well'\n";
  EXPECT_EQ(ask(code, WarmStart::worker, R"({"kill":true})").signal, SIGKILL);
  EXPECT_EQ(ask(code, WarmStart::worker, R"({"kill":false})").result, R"({"result": "well"})");
  EXPECT_EQ(ask(code, WarmStart::fork, R"({"kill":true})").signal, SIGKILL);
  EXPECT_EQ(ask(code, WarmStart::fork, R"({"kill":false})").result, R"({"result": "well"})");
}

TEST_P(WarmTest, AnotherOrganizationHasAnotherInterpreter) {
  std::string code = "import os\ndef main():\n    return os.getuid()\nn = 0\n";
  ProcessSpec other = python(code, WarmStart::fork, "{}", "run_2");
  other.organization = "org_b";
  std::string a = ask(code, WarmStart::fork).result;
  std::string b = ask(std::move(other)).result;
  if (GetParam() && ::geteuid() == 0) {
    EXPECT_NE(a, b);
  }
}

TEST_P(WarmTest, SeesOnlyTheDirectoriesOfRunsThatHaveAttempts) {
  if (!GetParam()) GTEST_SKIP() << "only isolated";
  std::string code = "import os\ndef main():\n    return sorted(os.listdir('..'))\n";
  for (const char* run : {"run_1", "run_2", "run_3"})
    EXPECT_EQ(ask(python(code, WarmStart::fork, "{}", run)).result,
              fmt::format(R"({{"result": ["{}"]}})", run));
}

TEST_P(WarmTest, TheMemoryLimitHolds) {
  std::string code = "def main():\n    return len(bytearray(400 << 20))\n";
  for (auto warm : {WarmStart::none, WarmStart::fork, WarmStart::worker}) {
    ProcessSpec spec = python(code, warm);
    spec.memory_bytes_max = 256u << 20;
    EXPECT_NE(ask(std::move(spec)).result.find("exception:MemoryError"), std::string::npos);
  }
}

TEST_P(WarmTest, MoreCodesThanInterpreters) {
  for (std::size_t i = 0; i < base::limits::warm_interpreters_max + 4; ++i) {
    std::string code = fmt::format("def main():\n    return {}\n", i);
    EXPECT_EQ(ask(code, WarmStart::fork).result, fmt::format(R"({{"result": {}}})", i));
  }
}

}  // namespace
}  // namespace exec
