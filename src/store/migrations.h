// The schema's history. Forward only: a migration that has run is never edited (its checksum is
// kept).
#pragma once

#include <climits>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/tx.h"

namespace store {

struct Migration {
  int version;
  std::string_view name;
  std::string_view sql;  // statements, each ended by ";\n"
};

std::span<const Migration> migrations();

/// The version that the database has; 0 when it is empty.
base::Result<int> schema_version(Tx& tx);
/// Applies what is missing, up to version `last`. Error `conflict` for a newer schema or a changed
/// migration.
base::Result<> migrate(Tx& tx, base::Clock& clock, int last = INT_MAX);

}  // namespace store
