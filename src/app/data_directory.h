// The data directory and its lock: one process at a time works with it.
#pragma once

#include <string>

#include "base/result.h"

namespace app {

class DataDirectory {
 public:
  /// Makes the directory if it is missing, sees to its mode 0700, and takes its lock. `conflict`
  /// when another server or offline command has it.
  static base::Result<DataDirectory> open(const std::string& path);
  DataDirectory(DataDirectory&& other) noexcept;
  ~DataDirectory();

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

}  // namespace app
