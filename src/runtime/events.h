// What arrives in a shard's inbox.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/apply.h"
#include "runtime/explain.h"
#include "store/engine_rows.h"

namespace runtime {

/// A live run as its waiters see it; valid during the call only.
struct RunSnapshot {
  const store::LiveRunRow& run;
  const engine::RunState& state;
};

/// Answers, called once on the shard's thread after the commit; they must not block.
struct Created {
  base::RunId run{};
  bool existed = false;  // the run that has the Idempotency-Key already; nothing was created
};
using CreateReply = std::function<void(base::Result<Created>)>;
using CommandReply = std::function<void(base::Result<>)>;
using ExplainReply = std::function<void(base::Result<Explanation>)>;
/// Called with the snapshot when the run's status is final or the time is up, with null when the
/// run does not live here (it may have ended before: look into the store).
using Waiter = std::function<void(const RunSnapshot*)>;

// ---- commands ----

struct CreateRun {
  store::LiveRunRow run;  // its id is given by the shard
  std::shared_ptr<const model::Plan> plan;
  std::vector<std::pair<model::TaskIndex, model::Value>> reused;  // outputs of an earlier run
  std::optional<store::IdempotencyRow> key;
  CreateReply reply;  // `conflict` when the flow's concurrency_policy refuses it
  Waiter waiter;      // of a run that was created; may be empty
  base::Timestamp wait_until;
};

/// A command to a live run. Its reply: `not_found` when it does not live here, `conflict` when its
/// state does not allow it.
struct ControlRun {
  base::RunId run{};
  /// CancelRequested, PauseRequested, ResumeRequested or ApprovalDecided.
  engine::Event event;
  store::AuditRow audit;
  CommandReply reply;
};

struct WatchRun {
  base::RunId run{};
  Waiter waiter;
  base::Timestamp wait_until;
};

/// Why does it wait? `not_found` when it does not live here.
struct ExplainRun {
  base::RunId run{};
  ExplainReply reply;
};

// ---- reports ----

/// The attempt of a sub-flow is ready to be the run that is given.
struct StartChild {
  base::RunId run{};
  model::TaskIndex task = 0;
  int epoch = 0;
  store::LiveRunRow child;  // its id is given by the shard
  std::shared_ptr<const model::Plan> plan;
  bool waits = true;  // false: the attempt succeeds as soon as the child lives
};

struct TaskComputed {
  base::RunId run{};
  engine::Computed computed;
  std::optional<store::ApprovalRow> approval;  // that opens when the task waits
};

/// Lines of an attempt's log, compressed by the sender.
struct LogChunk {
  int lines = 0;
  std::string compressed;
};

struct AttemptLog {
  base::RunId run{};
  model::TaskIndex task = 0;
  int epoch = 0;
  LogChunk chunk;
};

struct AttemptEnded {
  base::RunId run{};
  engine::AttemptReport report;
  std::vector<LogChunk> last_chunks;  // stored in the same commit
};

using Message = std::variant<CreateRun, ControlRun, WatchRun, ExplainRun, StartChild, TaskComputed,
                             AttemptLog, AttemptEnded>;

/// Whether somebody waits for its reply.
bool is_command(const Message& message);
/// Answers a command that will not be applied; says whether the message was a command.
bool refuse(Message& message, const base::Error& error);

}  // namespace runtime
