// A shard with a store in memory, driven message by message.
#pragma once

#include <gtest/gtest.h>

#include "base/log.h"
#include "model/test_catalog.h"
#include "runtime/shard.h"
#include "sim/fake_executor.h"
#include "sim/flows.h"

namespace sim {

using namespace std::chrono_literals;
using runtime::Message;
using Texts = std::vector<std::string>;

inline constexpr const char* instant = R"({"name":"f","tasks":[{"id":"a","type":"instant"}]})";
inline constexpr const char* process =
    R"({"name":"f","tasks":[{"id":"a","type":"process","config":{"command":"x"}}]})";

/// Notes what it is told and does nothing.
class NotingExecutor : public runtime::Executor {
 public:
  void start(runtime::AttemptStart start) override {
    notes.push_back(fmt::format("start {}", start.epoch));
    runs.push_back(start.context.run);
  }
  void stop(RunId, TaskIndex, int epoch) override {
    notes.push_back(fmt::format("stop {}", epoch));
  }
  void compute(runtime::ComputeStart start) override {
    notes.push_back(fmt::format("compute {}", start.context.task));
  }
  void collect(runtime::ChildEnd end) override {
    notes.push_back(fmt::format("collect {}", end.epoch));
  }
  void finished(RunId) override { notes.push_back("finished"); }
  Texts notes;
  std::vector<RunId> runs;
};

class ShardTest : public testing::Test {
 protected:
  ShardTest() {
    base::set_log_level(base::LogLevel::off);
    store.fault = [this](int) { return failing ? CommitFault::fails : CommitFault::none; };
  }
  void use(const char* spec) { store.flows["f"] = make_flow("f", spec); }

  Message create(std::optional<std::string> key = {}, std::string body = "h") {
    runtime::CreateRun message;
    message.run.flow_name = "f";
    message.plan = store.flows.at("f").plan;
    if (key)
      message.key = store::IdempotencyRow{"org", "me", "/runs", *key, std::move(body), {}, {}};
    message.reply = [this](base::Result<runtime::Created> result) {
      told.push_back(!result ? "refused" : result->existed ? "existed" : "created");
      if (result) run = result->run;
    };
    return message;
  }
  Message cancel(RunId id) {
    return runtime::ControlRun{
        id, engine::CancelRequested{"enough"}, {}, [this](base::Result<> result) {
          told.push_back(result ? "cancelled" : result.error().message);
        }};
  }
  Message watch(RunId id, base::Duration wait) {
    auto waiter = [this, id](const runtime::RunSnapshot* snapshot) {
      std::string text = "look into the store";
      if (snapshot != nullptr) text = base::name_of(snapshot->state.status);
      told.push_back(text + (store.live().contains(id) ? ", lives" : ", lives not"));
    };
    return runtime::WatchRun{id, waiter, clock.time + wait};
  }
  Message succeed(RunId id, int epoch = 1) {
    return runtime::AttemptEnded{id, {0, epoch, true, {}, {}}, {}};
  }
  template <class... M>
  void step(M... message) {
    std::vector<Message> messages;
    (messages.push_back(std::move(message)), ...);
    shard.step(std::move(messages));
  }
  Texts take(Texts& list) { return std::exchange(list, {}); }

  VirtualClock clock;
  Trace trace{false};
  Ledger ledger{Script{}};
  MemoryStore store{ledger, trace};
  NotingExecutor executor;
  bool failing = false;
  Texts told;
  RunId run{};
  runtime::Shard shard{store, executor, clock, model::test_catalog(), {1, 0}};
};

}  // namespace sim
