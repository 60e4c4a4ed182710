#include "app/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace app {

base::Result<DataDirectory> DataDirectory::open(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error);
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // of "data/"
  std::filesystem::create_directories(absolute.parent_path(), error);
  if (mkdir(absolute.c_str(), 0700) != 0 && errno != EEXIST)
    return base::unavailable(
        fmt::format("cannot make the data directory {}: {}", path, std::strerror(errno)));
  // A link on the way to it would not be hidden from tasks along with it.
  absolute = std::filesystem::canonical(absolute, error);
  if (error) return base::unavailable(fmt::format("cannot use {}: {}", path, error.message()));
  struct stat status {};
  if (stat(absolute.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    return base::unavailable(fmt::format("the data directory {} is not a directory", path));
  if ((status.st_mode & 077) != 0 && chmod(absolute.c_str(), 0700) != 0)
    return base::unavailable(fmt::format("cannot close the data directory {} to others: {}", path,
                                         std::strerror(errno)));
  std::string lock_path = absolute.string() + "/server.lock";
  int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0)
    return base::unavailable(fmt::format("cannot open {}: {}", lock_path, std::strerror(errno)));
  if (flock(lock, LOCK_EX | LOCK_NB) == 0) return DataDirectory(absolute.string(), lock);
  close(lock);
  return base::conflict(
      fmt::format("the data directory {} is in use by another dagy process", absolute.string()));
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace app
