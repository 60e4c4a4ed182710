// Reads of runs, live and finished, and of their logs. Every query is within one organization.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/engine_rows.h"
#include "store/log_chunk.h"
#include "store/tx.h"

namespace store {

/// A run without its tasks, wherever it stands.
struct RunRow {
  LiveRunRow run;
  std::optional<base::Timestamp> finished_at;  // set for finished runs
  std::optional<model::Failure> failure;       // likewise; a live run's is in its journal
};

/// A run with all that shows its tasks: the journal of a live one, the chunks of a finished one.
struct RunDetail {
  RunRow row;
  std::vector<std::string> journal;
  std::vector<std::string> task_chunks;
};

struct RunFilter {
  std::optional<std::string> flow_name;
  std::optional<model::RunStatus> status;
  std::optional<base::Timestamp> since;  // created at or after
  std::optional<std::string> deployment_name = {};
};

/// The smallest id that a run created at `t` can have.
std::int64_t first_id_at(base::Timestamp t);

/// Newest first, with an id below `before`.
base::Result<std::vector<RunRow>> list_runs(Tx& tx, const std::string& org_id,
                                            const RunFilter& filter,
                                            std::optional<base::RunId> before, std::size_t limit);
/// The newest of the live or of the finished runs only.
enum class RunTable { live, finished };
base::Result<std::vector<RunRow>> list_runs_of(Tx& tx, const std::string& org_id,
                                               const RunFilter& filter, RunTable table,
                                               std::size_t limit);
/// `not_found` also for another organization's run.
base::Result<RunDetail> find_run(Tx& tx, const std::string& org_id, base::RunId id);
base::Result<RunRow> find_run_row(Tx& tx, const std::string& org_id, base::RunId id);

/// Where a log line stands: the lines that one commit of the run stored count from 0.
struct LogPosition {
  std::int64_t seq = 0;
  std::int64_t line = -1;
  auto operator<=>(const LogPosition&) const = default;
};

struct LogLineRow {
  LogPosition position;
  model::TaskIndex task = 0;
  int attempt = 0;
  LogRecord record;
};

/// Lines after `after`, in order; of one task only, when given.
base::Result<std::vector<LogLineRow>> read_log(Tx& tx, base::RunId run, LogPosition after,
                                               std::optional<model::TaskIndex> task,
                                               std::size_t limit);

/// The cached output of the key, unless its time is over.
base::Result<std::optional<model::Value>> find_cached(Tx& tx, const std::string& org_id,
                                                      const std::string& cache_key,
                                                      base::Timestamp now);

/// What one who follows a live run needs, as of one instant.
struct RunHistory {
  RunRow row;
  std::vector<JournalRow> journal;  // of a live run
  LogPosition last;                 // of the last commit: {0, 0} before the first
};
base::Result<RunHistory> read_history(Tx& tx, const std::string& org_id, base::RunId id);

}  // namespace store
