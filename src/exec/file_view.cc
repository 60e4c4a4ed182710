#include "exec/file_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/limits.h"

namespace exec {

namespace {

namespace limits = base::limits;

constexpr std::string_view mask_options = "mode=0755,size=1m,nr_inodes=4096";

// Of /run, which is hidden for the sockets in it, what name resolution reads.
constexpr const char* resolver_paths[] = {"/run/systemd/resolve", "/run/resolvconf",
                                          "/run/NetworkManager"};

bool is_directory(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_below(std::string_view path, std::string_view parent) {
  return path == parent || (path.starts_with(parent) && path[parent.size()] == '/');
}

bool is_directly_below(std::string_view path, std::string_view parent) {
  if (!is_below(path, parent) || path.size() <= parent.size() + 1) return false;
  std::string_view name = path.substr(parent.size() + 1);
  return name.find('/') == std::string_view::npos && name != "." && name != "..";
}

/// The first directory on the way to `path` that others than its owner cannot pass through.
std::optional<std::string> first_closed(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    struct stat status {};
    std::string parent = path.substr(0, slash);
    if (::stat(parent.c_str(), &status) == 0 && (status.st_mode & S_IXOTH) == 0) return parent;
  }
  return std::nullopt;
}

std::string home_of_user() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr && entry->pw_dir != nullptr ? entry->pw_dir : "";
}

/// Makes what is missing of a path; where it cannot, the mount that follows says so.
void make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    ::mkdir(path.substr(0, slash).c_str(), 0755);
  }
  ::mkdir(path.c_str(), 0755);
}

int set_flags(int directory, const char* path, unsigned at_flags, std::uint64_t set,
              std::uint64_t clear, std::uint64_t propagation = 0) {
  mount_attr attributes{};
  attributes.attr_set = set;
  attributes.attr_clr = clear;
  attributes.propagation = propagation;
  return ::mount_setattr(directory, path, at_flags, &attributes, sizeof attributes);
}

UniqueFd detached_tree(int directory, const char* path, unsigned flags) {
  UniqueFd tree(::open_tree(directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags));
  // Private, else what is mounted on it appears on the machine's own file system too.
  if (tree && set_flags(tree.get(), "", AT_EMPTY_PATH | (flags & AT_RECURSIVE),
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, MS_PRIVATE) != 0) {
    tree.reset();
  }
  return tree;
}

}  // namespace

UniqueFd detached_mount(int directory, MountMode mode) {
  UniqueFd mount = detached_tree(directory, "", AT_EMPTY_PATH);
  if (mount && mode == MountMode::read &&
      set_flags(mount.get(), "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0) != 0) {
    mount.reset();
  }
  return mount;
}

FileView::FileView(const FileViewOptions& options)
    : data_directory_(options.data_directory),
      runs_(data_directory_ + "/work"),
      artifacts_(data_directory_ + "/artifacts") {
  steps_.push_back({"/tmp", Kind::private_space,
                    fmt::format("mode=1777,size={}", limits::attempt_tmp_bytes_max)});
  if (is_directory("/dev/shm")) {
    steps_.push_back({"/dev/shm", Kind::private_space,
                      fmt::format("mode=1777,size={}", limits::attempt_shared_memory_bytes_max)});
  }
  if (is_directory("/run")) add_mask("/run");
  std::string home = home_of_user();
  bool home_is_allowed = std::any_of(options.allowed_paths.begin(), options.allowed_paths.end(),
                                     [&](const std::string& path) { return is_below(home, path); });
  if (home.size() > 1 && is_directory(home) && !home_is_allowed) add_mask(home);
  add_mask(data_directory_);
  if (auto closed = first_closed(data_directory_); closed && options.foreign_user) {
    add_mask(*closed);
  }
  for (const char* path : resolver_paths)
    if (is_directory(path)) add_exposure(path, options.foreign_user);
  for (const std::string& path : options.allowed_paths) add_exposure(path, options.foreign_user);
  if (std::string sdk = data_directory_ + "/sdk"; is_directory(sdk))
    steps_.push_back({sdk, Kind::read_only_exposure});
  std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
    return std::count(a.path.begin(), a.path.end(), '/') <
           std::count(b.path.begin(), b.path.end(), '/');
  });
}

void FileView::add_mask(std::string path) {
  bool known = std::any_of(steps_.begin(), steps_.end(),
                           [&](const Step& step) { return step.path == path; });
  if (!known) steps_.push_back({std::move(path), Kind::mask, std::string(mask_options)});
}

void FileView::add_exposure(const std::string& path, bool foreign_user) {
  if (auto closed = first_closed(path); closed && foreign_user) add_mask(*closed);
  std::erase_if(steps_, [&](const Step& step) { return step.path == path; });
  steps_.push_back({path, Kind::exposure});
}

ViewFailure FileView::apply() const {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return {"private mounts", errno};
  std::vector<UniqueFd> exposed(steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (!is_exposure(steps_[i])) continue;
    exposed[i] = detached_tree(AT_FDCWD, steps_[i].path.c_str(), AT_RECURSIVE);
    if (!exposed[i]) return {"opening an allowed path", errno};
    if (steps_[i].kind == Kind::read_only_exposure &&
        set_flags(exposed[i].get(), "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) != 0)
      return {"closing an allowed path", errno};
  }
  if (set_flags(AT_FDCWD, "/", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0) != 0)
    return {"read-only mounts", errno};
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (ViewFailure failure = perform(steps_[i], exposed[i]); failure.step != nullptr)
      return failure;
  }
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return {"mounting /proc", errno};
  for (const Step& step : steps_) {
    if (step.kind != Kind::mask || step.path == data_directory_) continue;
    if (set_flags(AT_FDCWD, step.path.c_str(), 0, MOUNT_ATTR_RDONLY, 0) != 0)
      return {"closing a hidden directory", errno};
  }
  return {};
}

ViewFailure FileView::perform(const Step& step, const UniqueFd& exposed) const {
  make_directories(step.path);
  if (is_exposure(step)) {
    if (::move_mount(exposed.get(), "", AT_FDCWD, step.path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
      return {"mounting an allowed path", errno};
    return {};
  }
  if (::mount("tmpfs", step.path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, step.options.c_str()) != 0)
    return {"hiding a directory", errno};
  return {};
}

bool FileView::is_run_directory(std::string_view path) const {
  return is_directly_below(path, runs_);
}

bool FileView::is_artifact_directory(std::string_view path) const {
  return is_directly_below(path, artifacts_);
}

ViewFailure FileView::place(int mount, const std::string& path) const {
  set_flags(AT_FDCWD, data_directory_.c_str(), 0, 0, MOUNT_ATTR_RDONLY);
  make_directories(path);
  if (::move_mount(mount, "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return {"mounting a directory of the attempt", errno};
  if (set_flags(AT_FDCWD, data_directory_.c_str(), 0, MOUNT_ATTR_RDONLY, 0) != 0)
    return {"closing the data directory", errno};
  return {};
}

void FileView::remove_run(const std::string& path) const {
  ::umount2(path.c_str(), MNT_DETACH);
  set_flags(AT_FDCWD, data_directory_.c_str(), 0, 0, MOUNT_ATTR_RDONLY);
  ::rmdir(path.c_str());
  set_flags(AT_FDCWD, data_directory_.c_str(), 0, MOUNT_ATTR_RDONLY, 0);
}

}  // namespace exec
