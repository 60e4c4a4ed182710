// What attempts see of this machine's files: everything that the server's machine has, but not to
// change; not the data directory, but for the directory of the own run; places of their own for
// temporary files; and the allowed directories, to change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exec/unique_fd.h"

namespace exec {

struct FileViewOptions {
  std::string data_directory;
  std::vector<std::string> allowed_paths;
  bool foreign_user = false;  // attempts have another user id than the server
};

/// A step that failed.
struct ViewFailure {
  const char* step = nullptr;  // null: none did
  int error = 0;               // errno
};

class FileView {
 public:
  /// Decides what is to be mounted; changes nothing.
  explicit FileView(const FileViewOptions& options);

  /// Makes the view in this process's mount namespace, which must be a new one.
  ViewFailure apply() const;
  /// Whether a path is a directory directly below the directory of runs.
  bool is_run_directory(std::string_view path) const;
  /// Puts a detached mount in the place of a run directory; at most one mount is in each.
  ViewFailure place_run(int mount, const std::string& path) const;
  /// Takes it away again.
  void remove_run(const std::string& path) const;

  const std::string& data_directory() const { return data_directory_; }

 private:
  enum class Kind { mask, private_space, exposure };
  struct Step {
    std::string path;
    Kind kind;
    std::string options = {};  // of the tmpfs
  };

  void add_mask(std::string path);
  void add_exposure(const std::string& path, bool foreign_user);
  ViewFailure perform(const Step& step, const UniqueFd& exposed) const;

  std::string data_directory_;
  std::string runs_;
  std::vector<Step> steps_;  // parents before what is below them
};

/// A mount of this directory that is attached nowhere, or none and errno.
UniqueFd detached_mount(int directory);

}  // namespace exec
