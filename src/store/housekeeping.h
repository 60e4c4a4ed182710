// What the janitor asks of the store. Functions of one transaction, each a small batch.
#pragma once

#include <string>

#include "store/tx.h"

namespace store {

/// Deletes some journal rows of runs that no longer live; true when there may be more.
base::Result<bool> delete_stale_journal(Tx& tx);
/// Drops the idempotency tables of the days before yesterday.
base::Result<> drop_old_keys(Tx& tx, base::Timestamp now);
/// Drops some of the cached outputs whose time is over.
base::Result<> drop_expired_outputs(Tx& tx, base::Timestamp now);
/// Ends some of the uploads whose time is over.
base::Result<> drop_expired_uploads(Tx& tx, base::Timestamp now);
/// Drops some of the artifacts that no flow version has named since they came.
base::Result<> drop_unused_artifacts(Tx& tx, base::Timestamp now);
/// Whether any run, live or finished, or any artifact or upload names the object.
base::Result<bool> is_object_named(Tx& tx, const std::string& sha256);

}  // namespace store
