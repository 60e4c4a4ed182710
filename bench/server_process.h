// The real server under measurement: started, watched through /proc, stopped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "database.h"

namespace bench {

class ServerProcess {
 public:
  /// `program` is the dagy binary; `preload` counts its fsyncs. Starts on a fresh directory and an
  /// empty database, and returns when it has answered; `start_seconds` is how long that took.
  ServerProcess(const std::string& program, const std::string& preload,
                const std::string& data_directory, Database& database);
  ~ServerProcess();

  std::uint16_t port() const { return port_; }
  const std::string& token() const { return token_; }
  double start_seconds() const { return start_seconds_; }
  /// CPU seconds of the server without its database, its spawner, and every process they have
  /// waited for.
  double cpu_seconds() const;
  std::uint64_t fsyncs() const;
  /// Every fsync takes so much longer from now on.
  void slow_syncs(std::chrono::milliseconds by);
  Database& database() { return database_; }
  /// Resident memory of server and spawner, shared pages counted once for each.
  double memory_mb() const;
  /// Median of an fdatasync of one page beside the server's data: the disk's mood.
  double disk_sync_ms() const;

 private:
  void start(const std::string& program, const std::string& preload, bool first);
  void stop();
  void log_in();

  Database& database_;
  std::string directory_;
  std::string counter_path_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string token_;
  double start_seconds_ = 0;
};

}  // namespace bench
