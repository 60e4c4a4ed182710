// What attempts see of this machine's files: everything that the server's machine has, but not to
// change; not the data directory, but for the directory of the own run; places of their own for
// temporary files; the allowed directories, to change; its artifact and the Python SDK.
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
  /// Whether a path is a directory directly below the directory of runs, or of artifacts.
  bool is_run_directory(std::string_view path) const;
  bool is_artifact_directory(std::string_view path) const;
  /// Puts a detached mount in the place of one of these; at most one mount is in each.
  ViewFailure place(int mount, const std::string& path) const;
  /// Takes it away again.
  void remove_run(const std::string& path) const;

  const std::string& data_directory() const { return data_directory_; }

 private:
  enum class Kind { mask, private_space, exposure, read_only_exposure };
  struct Step {
    std::string path;
    Kind kind;
    std::string options = {};  // of the tmpfs
  };

  static bool is_exposure(const Step& step) {
    return step.kind == Kind::exposure || step.kind == Kind::read_only_exposure;
  }
  void add_mask(std::string path);
  void add_exposure(const std::string& path, bool foreign_user);
  ViewFailure perform(const Step& step, const UniqueFd& exposed) const;

  std::string data_directory_;
  std::string runs_;
  std::string artifacts_;
  std::vector<Step> steps_;  // parents before what is below them
};

/// A mount of this directory that is attached nowhere, or none and errno.
enum class MountMode { change, read };
UniqueFd detached_mount(int directory, MountMode mode);

}  // namespace exec
