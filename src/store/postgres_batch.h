// The engine's batch on PostgreSQL: each table's rows in one statement by UNNEST, all statements in
// one message with the COMMIT, so that a commit is one round trip and one flush of the log. Only a
// batch with idempotency keys takes two: which runs they let in is known after the first.
#pragma once

#include "store/engine_rows.h"
#include "store/postgres_connection.h"

namespace store {

/// The node row without which nothing is committed: a node that has been taken over finds none.
/// `FOR KEY SHARE` makes a takeover, which changes the row's key, wait for commits under way.
struct Fence {
  std::int64_t node = 0;
  std::int64_t generation = 0;
};

struct BatchEnd {
  PostgresConnection::Commit commit = PostgresConnection::Commit::failed;
  bool fenced = false;     // the node row is gone
  base::Error error = {};  // of a batch that failed
  CommitResult result = {};
};

/// Begins a transaction, writes, commits.
BatchEnd commit_batch(PostgresConnection& connection, const EngineBatch& batch, const Fence& fence);

/// Whether the batch was written: asks for one of its rows. A batch that wrote no row (all its
/// runs were duplicates) counts as not written.
base::Result<bool> batch_was_written(Tx& tx, const EngineBatch& batch);

}  // namespace store
