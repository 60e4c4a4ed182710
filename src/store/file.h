// Files of the data directory, written so that they are there after a crash.
#pragma once

#include <unistd.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace store {

/// Closes its descriptor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  int get() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

/// Of errno: `unavailable` when the disk is full.
base::Error file_error(std::string_view what, const std::string& path);
base::Result<> write_all(const File& file, std::string_view bytes, const std::string& path);
/// These end the process when the disk fails: what was written is lost then.
void sync(const File& file, const std::string& path);
base::Result<> sync_directory(const std::string& path);

}  // namespace store
