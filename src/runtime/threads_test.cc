// The run loop, processes, evaluation and the store at once, under callers that come at any time.
// Meant for ThreadSanitizer above all: every lock of this room is taken here by several threads.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <thread>

#include "base/random.h"
#include "runtime/test_machine.h"

namespace runtime {
namespace {

using namespace std::chrono_literals;

constexpr const char* busy = R"({"name":"busy","tasks":[
  {"id":"say","type":"shell","retries":1,
   "config":{"command":"for i in 1 2 3 4 5; do echo line $i; done"}},
  {"id":"each","type":"noop","map_over":{"literal":[1,2,3]},"depends_on":["say"]},
  {"id":"choice","type":"branch","depends_on":["each"],
   "config":{"conditions":[{"label":"yes","expression":"size(tasks.each) == 3"}]}},
  {"id":"child","type":"subflow","config":{"flow":"small"},"depends_on":["say"]},
  {"id":"late","type":"delay","config":{"seconds":0.05},"depends_on":["say"]}]})";
constexpr const char* small = R"({"name":"small","tasks":[{"id":"n","type":"noop"},
  {"id":"fails","type":"shell","config":{"command":"exit 3"}}]})";
constexpr const char* endless = R"({"name":"endless","tasks":[
  {"id":"a","type":"shell","config":{"command":"trap '' TERM; while :; do echo again; done"}}]})";

// Waits for one answer; fails the test instead of hanging.
template <class T>
T wait_for(std::future<T> future) {
  EXPECT_EQ(future.wait_for(1min), std::future_status::ready);
  return future.get();
}

class Caller {
 public:
  Caller(Machine& machine, std::uint64_t seed) : machine_(machine), random_(seed) {}

  /// Until the server refuses. Every command is answered once: a promise does not take two.
  void call() {
    while (std::optional<base::RunId> run = create()) {
      created.push_back(*run);
      machine_.feed.subscribe(*run, {[this](const RunNews& news) {
                                       heard += news.lines.size() + 1;
                                       return !news.is_finished;
                                     },
                                     [] { return false; }});
      switch (random_.below(4)) {
        case 0:
          control(*run, engine::CancelRequested{"enough"});
          break;
        case 1:
          control(*run, engine::PauseRequested{});
          explain(*run);
          control(*run, engine::ResumeRequested{});
          break;
        default:
          explain(*run);
      }
      watch(*run, random_.below(2) == 0 ? 0s : 60s);
    }
  }

  void control(base::RunId run, engine::Event event) {
    store::AuditRow audit;
    audit.audit_id = base::new_id("aud", machine_.clock.now(), random_);
    std::promise<void> answer;
    machine_.loop.command(
        ControlRun{run, std::move(event), audit, [&](base::Result<>) { answer.set_value(); }});
    wait_for(answer.get_future());
  }

  std::vector<base::RunId> created;
  std::atomic<std::size_t> heard = 0;

 private:
  std::optional<base::RunId> create() {
    CreateRun message = machine_.new_run("busy");
    std::promise<base::Result<Created>> answer;
    auto future = answer.get_future();
    message.reply = [&](base::Result<Created> result) { answer.set_value(std::move(result)); };
    machine_.loop.command(std::move(message));
    base::Result<Created> result = wait_for(std::move(future));
    if (!result) return std::nullopt;
    return result->run;
  }
  void explain(base::RunId run) {
    std::promise<void> answer;
    machine_.loop.command(ExplainRun{run, [&](base::Result<Explanation>) { answer.set_value(); }});
    wait_for(answer.get_future());
  }
  void watch(base::RunId run, std::chrono::seconds wait) {
    std::promise<void> answer;
    machine_.loop.command(WatchRun{run, [&](const RunSnapshot*) { answer.set_value(); },
                                   machine_.clock.now() + wait});
    wait_for(answer.get_future());
  }

  Machine& machine_;
  base::SeededRandom random_;
};

// Waits until nothing of the run lives.
model::RunStatus end_of(Machine& machine, base::RunId run) {
  auto heard = std::make_shared<std::promise<void>>();
  machine.feed.subscribe(run, {[heard](const RunNews& news) {
                                 if (news.is_finished) heard->set_value();
                                 return !news.is_finished;
                               },
                               [] { return false; }});
  if (!machine.row_of(run).finished_at) wait_for(heard->get_future());
  return machine.row_of(run).run.status;
}

TEST(Threads, CallersAreAnsweredOnceWhileTheServerStopsAndEveryRunEnds) {
  base::TemporaryDirectory directory;
  std::vector<base::RunId> created;
  {
    Machine machine(directory);
    machine.add_flow("busy", busy);
    machine.add_flow("small", small);
    machine.start();
    std::vector<std::unique_ptr<Caller>> callers;
    std::vector<std::thread> threads;
    for (std::uint64_t seed = 1; seed <= 4; ++seed)
      callers.push_back(std::make_unique<Caller>(machine, seed));
    for (auto& caller : callers) threads.emplace_back([&caller] { caller->call(); });
    while (callers[0]->heard < 100) std::this_thread::yield();
    machine.loop.drain(100ms);
    machine.stop();
    for (std::thread& thread : threads) thread.join();
    for (auto& caller : callers)
      created.insert(created.end(), caller->created.begin(), caller->created.end());
  }
  ASSERT_GE(created.size(), 4u);
  Machine next(directory);
  next.start();
  Caller caller(next, 5);
  for (base::RunId run : created) caller.control(run, engine::ResumeRequested{});
  for (base::RunId run : created) EXPECT_TRUE(model::is_final(end_of(next, run)));
}

// Whoever sends an attempt's lines waits for room in the inbox, which only the loop makes.
TEST(Threads, AnAttemptIsStoppedWhileItsLinesWaitForRoom) {
  base::TemporaryDirectory directory;
  Machine machine(directory);
  machine.add_flow("endless", endless);
  AttemptStart start;
  start.context.plan = *machine.plans.runnable("org", "endless", std::nullopt);
  start.epoch = 1;
  for (std::size_t i = 0; i < base::limits::inbox_max; ++i)
    machine.loop.command(WatchRun{base::RunId(i), nullptr, {}});
  machine.attempts.start(start);
  auto stopping = std::async(std::launch::async, [&] {
    base::SteadyTime until = machine.clock.steady() + 3 * base::limits::log_flush_interval;
    while (machine.clock.steady() < until) machine.attempts.stop(base::RunId{}, 0, 1);
  });
  bool stopped = stopping.wait_for(10s) == std::future_status::ready;
  machine.start();  // makes room
  EXPECT_TRUE(stopped);
}

}  // namespace
}  // namespace runtime
