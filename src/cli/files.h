// Files that commands read, and directories that they make for a time.
#pragma once

#include <string>

#include "base/result.h"

namespace cli {

/// `invalid` names the file and what is wrong: not there, a directory, larger than `bytes_max`.
/// "-" is standard input.
base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
base::Result<> write_file(const std::string& path, std::string_view bytes);

/// The value of an argument: itself, or of "@FILE" the text of that file.
base::Result<std::string> argument_text(const std::string& argument);

/// A directory below $TMPDIR that goes with its owner, mode 0700.
class ScratchDirectory {
 public:
  static base::Result<ScratchDirectory> create();
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ~ScratchDirectory();
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace cli
