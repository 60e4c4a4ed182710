#include "fault_store/scripted_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "store/flows.h"
#include "store/log_chunk.h"

namespace faults {

using namespace std::chrono_literals;
using model::TaskIndex;
using runtime::Message;
using store::Tx;

namespace {

// "wide" is longer than a page, so that a commit is more than one frame.
constexpr const char* spec = R"({"name":"f","tasks":[
  {"id":"first","type":"instant"},
  {"id":"retried","type":"process","config":{"command":"x"},"retries":1,"depends_on":["first"]},
  {"id":"wide","type":"instant","depends_on":["first"]},
  {"id":"asked","type":"approval","depends_on":["retried","wide"]},
  {"id":"last","type":"process","config":{"command":"x"},"depends_on":["asked"]}]})";

constexpr int requests_max = 8;  // of a client that repeats what was refused
constexpr int steps_max = 60;    // for one thing to happen; the store refuses most of them
constexpr TaskIndex approval = 3;

std::shared_ptr<const model::Plan> make_plan() {
  auto plan = model::load_plan(spec, "1", model::test_catalog());
  CHECK(plan);
  return *plan;
}

store::AuditRow audit_of(std::string_view action, RunId run, base::Timestamp now) {
  store::AuditRow row;
  row.audit_id = fmt::format("{}-{}", action, to_string(run));
  row.org_id = "org";
  row.action = action;
  row.created_at = now;
  return row;
}

}  // namespace

// ---- attempts ----

void PromptExecutor::start(runtime::AttemptStart start) {
  const std::string& id = start.context.planned_task().id;
  bool succeeded = id != "retried" || start.attempt > 1;
  std::string output = fmt::format(R"("{}")", std::string(id == "wide" ? 9000 : 10, 'o'));
  runtime::LogChunk chunk{1, store::encode_log_chunk({{clock_.now(), false, false, "a line"}})};
  messages_.push_back(runtime::AttemptEnded{start.context.run,
                                            {start.context.task,
                                             start.epoch,
                                             succeeded,
                                             model::Value::inline_json(output),
                                             {"error", ""}},
                                            {chunk}});
}

void PromptExecutor::compute(runtime::ComputeStart start) {
  runtime::TaskComputed computed{start.context.run, {start.context.task, engine::Decided{}}, {}};
  if (start.context.planned_task().id == "asked") {
    store::ApprovalRow& row = computed.approval.emplace();
    row.run = start.context.run;
    row.task = start.context.task;
    row.org_id = start.context.org_id;
    row.task_id = "asked";
  }
  messages_.push_back(std::move(computed));
}

// ---- the script ----

ScriptedServer::ScriptedServer(store::Store& store, store::StillClock& clock, Told& told)
    : store_(store),
      clock_(clock),
      told_(told),
      executor_(clock),
      shard_(store, executor_, clock, model::test_catalog(), {2, 0}),
      plan_(make_plan()) {}

base::Result<> ScriptedServer::play() {
  TRY(shard_.recover());
  if (!told_.registered) told_.registered = repeat([&] { return register_flow(); });
  if (!told_.registered) return {};
  for (Told::Run run : {Told::keyed, Told::waited, Told::cancelled})
    if (told_.run[run] == RunId{}) repeat([&] { return create(run); });
  for (Told::Run run : {Told::keyed, Told::waited}) {
    RunId id = told_.run[run];
    if (shard_.live_run(id) == nullptr) continue;
    go_on([&] { return waits_for_person(id); });
    repeat([&] { return approve(id, run == Told::keyed ? &told_.approved : nullptr); });
  }
  if (RunId id = told_.run[Told::cancelled]; shard_.live_run(id) != nullptr)
    repeat([&] { return cancel(id); });
  approve_what_nobody_knows();
  go_on([&] { return shard_.live_runs() == 0; });
  told_.ended = shard_.live_runs() == 0;
  return {};
}

// A client that is told of an error tries again; time passes meanwhile.
bool ScriptedServer::repeat(const std::function<bool()>& request) {
  for (int i = 0; i < requests_max; ++i) {
    if (request()) return true;
    ++told_.errors;
    go_on([] { return true; });
  }
  return false;
}

// A run whose creation was answered with an error may live all the same.
void ScriptedServer::approve_what_nobody_knows() {
  base::Result<std::vector<RunId>> live = store_.live_runs();
  if (!live) return;
  for (RunId id : *live) {
    if (std::ranges::find(told_.run, id) != std::end(told_.run)) continue;
    go_on([&] { return waits_for_person(id); });
    repeat([&] { return approve(id, nullptr); });
  }
}

bool ScriptedServer::register_flow() {
  return bool(store_.write([&](Tx& tx) -> base::Result<> {
    store::FlowVersionRow row;
    row.org_id = "org";
    row.flow_name = "f";
    row.flow_version = "1";
    row.spec = spec;
    row.identity = "the same";
    row.created_at = clock_.now();
    TRY(store::register_flow(tx, row, "flow_1"));
    return {};
  }));
}

bool ScriptedServer::create(Told::Run run) {
  runtime::CreateRun message;
  message.run.org_id = "org";
  message.run.flow_name = "f";
  message.run.flow_version = "1";
  message.run.trigger_type = "api";
  message.run.parameters = model::Value::inline_json("{}");
  message.run.created_by = fmt::format("run {}", int(run));
  message.plan = plan_;
  if (run == Told::keyed)
    message.key = store::IdempotencyRow{"org", "me", "/runs", "key", "body", {}, {}};
  message.reply = [&, run](base::Result<runtime::Created> created) {
    if (created) told_.run[run] = created->run;
  };
  std::vector<Message> messages;
  messages.push_back(std::move(message));
  step(std::move(messages));
  return told_.run[run] != RunId{};
}

bool ScriptedServer::approve(RunId run, bool* told) {
  engine::ApprovalDecided decision;
  decision.task = approval;
  decision.approved = true;
  bool obeyed = false;
  bool gone = false;  // the decision was committed, though an error was told
  std::vector<Message> messages;
  messages.push_back(runtime::ControlRun{
      run, decision, audit_of("approve", run, clock_.now()), [&](base::Result<> result) {
        obeyed = bool(result);
        gone = !result && result.error().code != base::ErrorCode::unavailable;
      }});
  step(std::move(messages));
  if (obeyed && told != nullptr) *told = true;
  return obeyed || gone;
}

bool ScriptedServer::cancel(RunId run) {
  bool gone = false;
  std::vector<Message> messages;
  messages.push_back(
      runtime::ControlRun{run, engine::CancelRequested{"enough"},
                          audit_of("cancel", run, clock_.now()), [&](base::Result<> result) {
                            told_.cancel_obeyed = bool(result);
                            gone = !result && result.error().code != base::ErrorCode::unavailable;
                          }});
  step(std::move(messages));
  return told_.cancel_obeyed || gone;
}

bool ScriptedServer::waits_for_person(RunId id) const {
  const runtime::LiveRun* run = shard_.live_run(id);
  return run == nullptr || run->state.tasks[approval].status == model::TaskStatus::waiting;
}

void ScriptedServer::go_on(const std::function<bool()>& until) {
  int steps = 0;
  do {
    clock_.advance(200ms);
    step();
  } while (!until() && ++steps < steps_max);
}

void ScriptedServer::step(std::vector<Message> commands) {
  std::vector<Message> messages = executor_.take();
  for (Message& each : commands) messages.push_back(std::move(each));
  shard_.step(std::move(messages));
}

// ---- what must hold ----

namespace {

std::vector<std::string> rows(store::Store& store, const std::string& sql) {
  std::vector<std::string> found;
  base::Result<> read = store.read([&](Tx& tx) -> base::Result<> {
    TRY(tx.run(sql, {}, [&](const store::Row& row) { found.push_back(row.string(0)); }));
    return {};
  });
  EXPECT_TRUE(read) << read.error().message;
  return found;
}

using Texts = std::vector<std::string>;

std::string status_of(store::Store& store, RunId run) {
  Texts found = rows(store, fmt::format("SELECT status FROM run WHERE run_id = {}",
                                        static_cast<std::int64_t>(run)));
  return found.size() == 1 ? found.front() : fmt::format("{} rows", found.size());
}

}  // namespace

void check_promises(const std::string& path, const Told& told) {
  store::StillClock clock;
  clock.advance(1h);
  auto opened = store::open_sqlite({path}, clock);
  ASSERT_TRUE(opened) << opened.error().message;
  store::Store& store = **opened;
  EXPECT_EQ(rows(store, "PRAGMA integrity_check"), Texts{"ok"});
  if (told.ended) {
    EXPECT_EQ(rows(store, "SELECT run_id FROM run_live"), Texts{});
  }

  Told later = told;
  later.ended = false;
  base::Result<> played = ScriptedServer(store, clock, later).play();
  ASSERT_TRUE(played) << played.error().message;
  EXPECT_TRUE(later.ended);
  EXPECT_EQ(later.errors, told.errors);
  for (Told::Run run : {Told::keyed, Told::waited, Told::cancelled}) {
    EXPECT_TRUE(told.run[run] == RunId{} || later.run[run] == told.run[run]);
    std::string status = status_of(store, later.run[run]);
    if (run == Told::cancelled && status == "CANCELLED") continue;
    EXPECT_TRUE(status == "SUCCEEDED" && !(run == Told::cancelled && told.cancel_obeyed))
        << "run " << int(run) << ": " << status;
  }
  // One run of the key, however often it was asked for; one end of each run.
  EXPECT_EQ(rows(store, "SELECT COUNT(*) FROM run WHERE created_by = 'run 0'"), Texts{"1"});
  EXPECT_EQ(rows(store, "SELECT COUNT(*) - COUNT(DISTINCT run_id) FROM run"), Texts{"0"});
  EXPECT_EQ(rows(store, "SELECT run_id FROM run_live"), Texts{});
  EXPECT_EQ(rows(store, "SELECT run_id FROM journal"), Texts{});
  EXPECT_EQ(rows(store, "SELECT run_id FROM approvals"), Texts{});
  // An attempt's last lines are committed with its end, which is committed once.
  EXPECT_EQ(rows(store,
                 "SELECT run_id FROM log_chunks GROUP BY run_id, task, attempt "
                 "HAVING COUNT(*) <> 1"),
            Texts{});
  EXPECT_EQ(rows(store,
                 "SELECT run_id FROM run WHERE status = 'SUCCEEDED' AND 5 <> (SELECT "
                 "COUNT(*) FROM log_chunks WHERE log_chunks.run_id = run.run_id)"),
            Texts{});
  Texts approvals = rows(store, "SELECT audit_id FROM audit_log WHERE action = 'approve'");
  std::string approved = audit_of("approve", told.run[Told::keyed], {}).audit_id;
  EXPECT_TRUE(!told.approved || std::ranges::count(approvals, approved) == 1);
}

}  // namespace faults
