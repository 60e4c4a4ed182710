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
/// Called with the snapshot when the run's status is final or the time is up, with null when the
/// run does not live here (it may have ended before: look into the store).
using Waiter = std::function<void(const RunSnapshot*)>;

struct CreateRun {
  store::LiveRunRow run;  // its id is given by the shard
  std::shared_ptr<const model::Plan> plan;
  std::optional<store::IdempotencyRow> key;
  CreateReply reply;
  Waiter waiter;  // of a run that was created; may be empty
  base::Timestamp wait_until;
};

struct CancelRun {
  base::RunId run{};
  std::string reason;
  store::AuditRow audit;
  CommandReply reply;  // `not_found` when it does not live here, `conflict` when it is final
};

struct WatchRun {
  base::RunId run{};
  Waiter waiter;
  base::Timestamp wait_until;
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

using Message = std::variant<CreateRun, CancelRun, WatchRun, AttemptLog, AttemptEnded>;

}  // namespace runtime
