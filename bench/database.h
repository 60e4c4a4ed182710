// The database under a server that is measured: made for it, watched, thrown away.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace bench {

/// What engine.md's table of speed (docs/speed.md) asks for with this database.
struct Goals {
  double w1_ms;
  double w1_syncs;
  double w2_rate;
  double w2_cpu_ms;  // of server and database
  double w2_syncs;
  double w3_ms;
  double w4_ms;
  double w4_processes_ms;
};

/// Something that goes on as long as it exists.
class Held {
 public:
  virtual ~Held() = default;
};

class Database {
 public:
  virtual ~Database() = default;
  virtual std::string_view name() const = 0;
  virtual Goals goals() const = 0;
  /// For DAGY_DATABASE_URL; "" for the one in the server's directory.
  virtual std::string url() const = 0;
  /// Whether it lives in the server's own process.
  virtual bool is_inside() const = 0;
  /// CPU seconds of its processes so far, also of those that have ended.
  virtual double cpu_seconds() const = 0;
  /// How often its log was synced so far. Waits until everybody who syncs has said so.
  virtual std::uint64_t syncs() = 0;
  /// Transactions that ended so far, without those of this observer. Waits likewise.
  virtual std::uint64_t transactions() = 0;
  /// Another program that holds the database as it was.
  virtual std::unique_ptr<Held> hold_reader() = 0;
};

/// In the directory of a server's data.
std::unique_ptr<Database> sqlite_database(const std::string& directory);
/// A new database on the server of that superuser's URL, which must end in "/postgres".
std::unique_ptr<Database> postgres_database(const std::string& superuser_url);

}  // namespace bench
