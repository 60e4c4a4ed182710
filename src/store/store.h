// The store: two doors. commit(batch) takes the engine's plain data; write(fn) and read(fn) serve
// everything else. A function given to write() may run more than once and must have no effects
// beside its statements.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/engine_rows.h"
#include "store/tx.h"

namespace store {

using TxFunction = std::function<base::Result<>(Tx&)>;

/// Order of waiting writes: people before the engine's bulk, that before retention.
enum class Priority { interactive, engine, background };

class Store : public EngineStore {
 public:
  /// Runs `fn` in a transaction and returns after it is durable. Blocks. When `fn` returns an error
  /// nothing of it is kept and the error is returned.
  virtual base::Result<> write(const TxFunction& fn, Priority priority = Priority::interactive) = 0;
  /// Runs `fn` on one snapshot of committed data. Blocks, up to readers_max at a time.
  virtual base::Result<> read(const TxFunction& fn) = 0;
  /// False when the disk is nearly full: new work is then refused, running work goes on.
  virtual bool accepts_work() const = 0;
  /// Error when the store cannot be read or written, for /health.
  virtual base::Result<> check() = 0;
};

struct SqliteOptions {
  std::string path;  // of the database file; "" is a private database in memory
};

/// Opens, migrates and starts the writer. Errors: `unavailable` (not to be opened), `conflict` (a
/// newer schema, or a migration that was changed after it had run).
base::Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, base::Clock& clock);

}  // namespace store
