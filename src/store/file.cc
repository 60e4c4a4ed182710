#include "store/file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "store/failed_sync.h"

namespace store {

base::Error file_error(std::string_view what, const std::string& path) {
  std::string text = fmt::format("{} {}: {}", what, path, std::strerror(errno));
  return errno == ENOSPC || errno == EDQUOT ? base::unavailable(text) : base::internal_error(text);
}

base::Result<> write_all(const File& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("cannot write", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

void sync(const File& file, const std::string& path) {
  if (fsync(file.get()) != 0) end_after_failed_sync(file_error("cannot sync", path).message);
}

base::Result<> sync_directory(const std::string& path) {
  File directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return file_error("cannot open", path);
  sync(directory, path);
  return {};
}

}  // namespace store
