// Reads across the runs of an organization: approvals that wait, failures by fingerprint, counts.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "store/engine_rows.h"
#include "store/runs.h"
#include "store/tx.h"

namespace store {

/// Where an approval stands; oldest run first.
struct ApprovalPosition {
  base::RunId run{};
  std::int64_t task = -1;
};
base::Result<std::vector<ApprovalRow>> list_approvals(Tx& tx, const std::string& org_id,
                                                      ApprovalPosition after, std::size_t limit);
/// `not_found` when the task run does not wait for an approval.
base::Result<ApprovalRow> find_approval(Tx& tx, const std::string& org_id, base::RunId run,
                                        const std::string& task_id, int map_index);

/// Failed runs whose failure is the same.
struct FailureGroup {
  std::string fingerprint;
  std::int64_t runs = 0;
  std::int64_t open = 0;  // those that no other run repeats
  RunRow last;            // the newest of them
  std::string failed_task;
  base::Timestamp first_seen;
};
struct FailureFilter {
  std::optional<std::string> flow_name;
  std::optional<base::Timestamp> since;
};
/// Those that failed last first, whose newest run is before `before`.
base::Result<std::vector<FailureGroup>> list_failures(Tx& tx, const std::string& org_id,
                                                      const FailureFilter& filter,
                                                      std::optional<base::RunId> before,
                                                      std::size_t limit);
/// Failed runs of a fingerprint that no other run repeats, oldest first.
base::Result<std::vector<base::RunId>> list_unrepeated(Tx& tx, const std::string& org_id,
                                                       const std::string& fingerprint,
                                                       std::size_t limit);

/// Runs created in [begin, begin + width).
struct RunBucket {
  base::Timestamp begin;
  std::map<std::string, std::int64_t> by_status;
  std::int64_t finished = 0;
  base::Duration total_time{};  // of the finished ones, from creation to end
};
base::Result<std::vector<RunBucket>> count_runs(Tx& tx, const std::string& org_id,
                                                const std::optional<std::string>& flow_name,
                                                base::Timestamp since, base::Timestamp until,
                                                base::Duration width);

}  // namespace store
