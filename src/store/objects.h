// Object storage in a local directory: large values by their SHA-256.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace store {

class ObjectDirectory {
 public:
  /// `root` is created with mode 0700 when it is missing.
  explicit ObjectDirectory(std::string root);

  /// Durable when it returns: written, fsynced, renamed, directory fsynced. Returns the SHA-256 in
  /// hexadecimal. Bytes that are there already are not written again. Thread-safe.
  base::Result<std::string> put(std::string_view bytes);
  /// Error `not_found`, or `internal` when the bytes are not what their name says.
  base::Result<std::string> get(const std::string& sha256) const;

  /// Names of the objects last put before `t`.
  std::vector<std::string> older_than(base::Timestamp t) const;
  void remove(const std::string& sha256);

  const std::string& root() const { return root_; }

 private:
  std::string path_of(const std::string& sha256) const;
  std::string root_;
};

}  // namespace store
