#include "store/objects.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/ids.h"
#include "store/file.h"
#include "store/reading.h"

namespace store {

namespace {

base::Result<std::string> whole(std::string bytes, const std::string& sha256) {
  if (base::sha256_hex(bytes) != sha256)
    return base::internal_error(fmt::format("object {} is damaged", sha256));
  return bytes;
}

base::Error no_object(const std::string& sha256) {
  return base::not_found(fmt::format("no object {}", sha256));
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
    return file_error("cannot make", directory);
  // A fresh time keeps an object that is named again from being collected as old.
  if (utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) {
    std::string temporary = fmt::format("{}.{}.{}.tmp", path, getpid(), counter++);
    File file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return file_error("cannot create", temporary);
    base::Result<> written = write_all(file, bytes, temporary);
    if (written) sync(file, temporary);
    if (written && rename(temporary.c_str(), path.c_str()) != 0)
      written = file_error("cannot rename", temporary);
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
  if (!file) return no_object(sha256);
  std::string bytes;
  char buffer[64 * 1024];
  while (true) {
    ssize_t n = read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("cannot read", path_of(sha256));
    if (n == 0) break;
    bytes.append(buffer, static_cast<std::size_t>(n));
  }
  return whole(std::move(bytes), sha256);
}

base::Result<std::vector<std::string>> ObjectDirectory::older_than(base::Timestamp t) const {
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

base::Result<> ObjectDirectory::remove(const std::string& sha256) {
  unlink(path_of(sha256).c_str());
  return {};
}

base::Result<> ObjectDirectory::check() const {
  if (access(root_.c_str(), R_OK | W_OK | X_OK) == 0) return {};
  return base::unavailable("the object directory cannot be written");
}

// ---- in the database ----

base::Result<std::string> ObjectTable::put(std::string_view bytes) {
  std::string name = base::sha256_hex(bytes);
  // A fresh time keeps an object that is named again from being collected as old.
  TRY(store_.write([&](Tx& tx) -> base::Result<> {
    std::int64_t known =
        TRY(tx.run("UPDATE objects SET put_at = ?2 WHERE sha256 = ?1", {name, clock_.now()}));
    if (known == 0)
      TRY(tx.run("INSERT INTO objects (sha256, put_at, data) VALUES (?1, ?2, ?3)",
                 {name, clock_.now(), Blob{bytes}}));
    return {};
  }));
  return name;
}

base::Result<std::string> ObjectTable::get(const std::string& sha256) const {
  auto bytes = TRY(reading<std::optional<std::string>>(
      store_, [&](Tx& tx) -> base::Result<std::optional<std::string>> {
        std::optional<std::string> found;
        TRY(tx.run("SELECT data FROM objects WHERE sha256 = ?1", {sha256},
                   [&](const Row& row) { found = row.string(0); }));
        return found;
      }));
  if (!bytes) return no_object(sha256);
  return whole(std::move(*bytes), sha256);
}

base::Result<std::vector<std::string>> ObjectTable::older_than(base::Timestamp t) const {
  return reading<std::vector<std::string>>(
      store_, [&](Tx& tx) -> base::Result<std::vector<std::string>> {
        std::vector<std::string> names;
        TRY(tx.run("SELECT sha256 FROM objects WHERE put_at < ?1", {t},
                   [&](const Row& row) { names.push_back(row.string(0)); }));
        return names;
      });
}

base::Result<> ObjectTable::remove(const std::string& sha256) {
  return store_.write(
      [&](Tx& tx) -> base::Result<> {
        TRY(tx.run("DELETE FROM objects WHERE sha256 = ?1", {sha256}));
        return {};
      },
      Priority::background);
}

}  // namespace store
