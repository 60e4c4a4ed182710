// The store: two doors. commit(batch) takes the engine's plain data; write(fn) and read(fn) serve
// everything else. A function given to write() may run more than once and must have no effects
// beside its statements. One suite, tests/store, holds both databases to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "store/engine_rows.h"
#include "store/membership.h"
#include "store/tx.h"

namespace store {

using TxFunction = std::function<base::Result<>(Tx&)>;

/// Order of waiting writes: people before the engine's bulk, that before retention.
enum class Priority { interactive, engine, background };

class Store : public EngineStore {
 public:
  /// Runs `fn` in a transaction, as if no other ran meanwhile, and returns after it is durable.
  /// Blocks. An error means that nothing of it is kept, but for `unavailable` with a text that says
  /// that this is not known: the database went away during the commit and has not come back in
  /// time.
  virtual base::Result<> write(const TxFunction& fn, Priority priority = Priority::interactive) = 0;
  /// Runs `fn` on one snapshot of committed data. Blocks, up to readers_max at a time.
  virtual base::Result<> read(const TxFunction& fn) = 0;
  /// False when the disk is nearly full: new work is then refused, running work goes on.
  virtual bool accepts_work() const = 0;
  /// Error when the store cannot be read or written, for /health.
  virtual base::Result<> check() = 0;
  /// Of a database that several servers may know; null when it is this server's alone.
  virtual Membership* membership() { return nullptr; }
  /// From now on nobody waits for a database that is away: a commit of the engine whose outcome
  /// cannot be found out ends the process, and the next start reads it back.
  virtual void give_up_waiting() {}
};

struct SqliteOptions {
  std::string path;  // of the database file; "" is a private database in memory
};

/// Opens, migrates and starts the writer. Errors: `unavailable` (not to be opened), `conflict` (a
/// newer schema, or a migration that was changed after it had run).
base::Result<std::unique_ptr<Store>> open_sqlite(SqliteOptions options, base::Clock& clock);

struct PostgresOptions {
  std::string url;          // a connection URI as libpq reads it
  int connections_max = 8;  // beside the engine's and the heartbeat's
  /// Another node has taken over this one's runs: it must start nothing more. On any thread.
  std::function<void()> taken_over = {};
};

/// Opens and migrates. Errors: `invalid` (the URL), `unavailable` (not reachable, a replica),
/// `conflict` (a newer schema, a changed migration, an encoding other than UTF8, a server older
/// than postgres_version_min).
base::Result<std::unique_ptr<Store>> open_postgres(PostgresOptions options, base::Clock& clock);

}  // namespace store
