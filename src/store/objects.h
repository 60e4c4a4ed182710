// Object storage: large values by their SHA-256, in a local directory or, where several nodes share
// a database, in that.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"

namespace store {

/// Thread-safe.
class Objects {
 public:
  virtual ~Objects() = default;
  /// Durable when it returns. Returns the SHA-256 in hexadecimal. Bytes that are there already are
  /// not written again.
  virtual base::Result<std::string> put(std::string_view bytes) = 0;
  /// Error `not_found`, or `internal` when the bytes are not what their name says.
  virtual base::Result<std::string> get(const std::string& sha256) const = 0;

  /// Names of the objects last put before `t`.
  virtual base::Result<std::vector<std::string>> older_than(base::Timestamp t) const = 0;
  virtual base::Result<> remove(const std::string& sha256) = 0;
  /// Error when objects cannot be read or written, for /health.
  virtual base::Result<> check() const = 0;
};

class ObjectDirectory : public Objects {
 public:
  /// `root` is created with mode 0700 when it is missing.
  explicit ObjectDirectory(std::string root);

  /// Written, fsynced, renamed, directory fsynced.
  base::Result<std::string> put(std::string_view bytes) override;
  base::Result<std::string> get(const std::string& sha256) const override;
  base::Result<std::vector<std::string>> older_than(base::Timestamp t) const override;
  base::Result<> remove(const std::string& sha256) override;
  base::Result<> check() const override;

 private:
  std::string path_of(const std::string& sha256) const;
  std::string root_;
};

class ObjectTable : public Objects {
 public:
  ObjectTable(Store& store, base::Clock& clock) : store_(store), clock_(clock) {}

  base::Result<std::string> put(std::string_view bytes) override;
  base::Result<std::string> get(const std::string& sha256) const override;
  base::Result<std::vector<std::string>> older_than(base::Timestamp t) const override;
  base::Result<> remove(const std::string& sha256) override;
  base::Result<> check() const override { return {}; }  // as the store

 private:
  Store& store_;
  base::Clock& clock_;
};

}  // namespace store
