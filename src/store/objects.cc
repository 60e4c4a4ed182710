#include "store/objects.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/ids.h"
#include "store/failed_sync.h"

namespace store {

namespace {

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

base::Error failure(std::string_view what, const std::string& path) {
  std::string text = fmt::format("{} {}: {}", what, path, std::strerror(errno));
  return errno == ENOSPC ? base::unavailable(text) : base::internal_error(text);
}

void sync(const File& file, const std::string& path) {
  if (fsync(file.get()) != 0) end_after_failed_sync(failure("cannot sync", path).message);
}

base::Result<> write_all(const File& file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t n = write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot write", path);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  sync(file, path);
  return {};
}

base::Result<> sync_directory(const std::string& path) {
  File directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return failure("cannot open", path);
  sync(directory, path);
  return {};
}

}  // namespace

ObjectDirectory::ObjectDirectory(std::string root) : root_(std::move(root)) {
  mkdir(root_.c_str(), 0700);
}

std::string ObjectDirectory::path_of(const std::string& sha256) const {
  return fmt::format("{}/{}/{}", root_, sha256.substr(0, 2), sha256);
}

base::Result<std::string> ObjectDirectory::put(std::string_view bytes) {
  static std::atomic<unsigned> counter{0};
  std::string name = base::sha256_hex(bytes);
  std::string path = path_of(name);
  std::string directory = path.substr(0, path.rfind('/'));
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return failure("cannot make", directory);
  // A fresh time keeps an object that is named again from being collected as old.
  if (utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) {
    std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), counter++);
    File file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return failure("cannot create", temporary);
    base::Result<> written = write_all(file, bytes, temporary);
    if (written && rename(temporary.c_str(), path.c_str()) != 0)
      written = failure("cannot rename", temporary);
    if (!written) {
      unlink(temporary.c_str());
      return written.error();
    }
  }
  // Also when it was there: who wrote it may not have come to this.
  TRY(sync_directory(directory));
  TRY(sync_directory(root_));
  return name;
}

base::Result<std::string> ObjectDirectory::get(const std::string& sha256) const {
  File file(open(path_of(sha256).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return base::not_found(fmt::format("no object {}", sha256));
  std::string bytes;
  char buffer[64 * 1024];
  while (true) {
    ssize_t n = read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot read", path_of(sha256));
    if (n == 0) break;
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  if (base::sha256_hex(bytes) != sha256)
    return base::internal_error(fmt::format("object {} is damaged", sha256));
  return bytes;
}

std::vector<std::string> ObjectDirectory::older_than(base::Timestamp t) const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_, error)) {
    struct stat info {};
    if (stat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    base::Timestamp modified = base::from_us(info.st_mtim.tv_sec * 1'000'000LL);
    if (modified < t) names.push_back(entry.path().filename().string());
  }
  return names;
}

void ObjectDirectory::remove(const std::string& sha256) {
  unlink(path_of(sha256).c_str());
}

}  // namespace store
