// The engine's rows in SQL that both databases speak; its batch, one statement a row, as SQLite
// takes it (PostgreSQL's is postgres_batch.h).
#pragma once

#include "store/engine_rows.h"
#include "store/tx.h"

namespace store {

base::Result<CommitResult> write_batch(Tx& tx, const EngineBatch& batch);
base::Result<std::vector<base::RunId>> read_live_runs(Tx& tx);
base::Result<std::optional<base::RunId>> read_last_run(Tx& tx);
base::Result<std::optional<StoredRun>> read_stored_run(Tx& tx, base::RunId id);
base::Result<StoredSpec> read_spec(Tx& tx, const std::string& org_id, const std::string& flow_name,
                                   const std::string& flow_version);
base::Result<> insert_audit(Tx& tx, const AuditRow& row);

/// Nine columns from `column` on: priority, concurrency_key, parent_run, parent_task, depth,
/// rerun_of, deployment_name, environment_id, execution_mode.
void read_links(const Row& row, int column, LiveRunRow& run);

/// The table that holds the idempotency keys of a UTC day: "idempotency_20261122".
std::string idempotency_table(base::Timestamp at);
base::Result<> create_key_table(Tx& tx, const std::string& table);
/// The run that has the key today or had it yesterday; `run` of the answer means nothing.
base::Result<std::optional<Duplicate>> read_key_holder(Tx& tx, const IdempotencyRow& key);

// Columns that both ways to write a batch have in common.
std::string failure_text(const FinishedRunRow& run);  // JSON; "" without a failure
std::string assignees_text(const ApprovalRow& row);   // JSON
/// A longer journal is deleted by later batches: rows without a live run mean nothing.
bool deletes_journal(const FinishedRunRow& run);
std::string value_text(const model::Value& value);
model::Value value_from_text(std::string_view text);

}  // namespace store
