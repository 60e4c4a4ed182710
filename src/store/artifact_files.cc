#include "store/artifact_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/sha256.h"
#include "store/artifacts.h"
#include "store/failed_sync.h"
#include "store/file.h"
#include "store/reading.h"
#include "store/zip.h"

namespace store {

namespace fs = std::filesystem;

namespace {

struct Unpacked {
  fs::path path;
  std::int64_t used_at = 0;
  std::uint64_t bytes = 0;
};

std::uint64_t bytes_below(const fs::path& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(path, error))
    if (entry.is_regular_file(error)) bytes += entry.file_size(error);
  return bytes;
}

/// Its time is when it was last used.
bool touch(const std::string& directory) {
  return utimensat(AT_FDCWD, directory.c_str(), nullptr, 0) == 0;
}

}  // namespace

ArtifactFiles::ArtifactFiles(std::string root, Store& store, const Objects& objects)
    : root_(std::move(root)), store_(store), objects_(objects) {
  mkdir(root_.c_str(), 0755);
}

void ArtifactFiles::tidy() {
  std::vector<Unpacked> kept;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root_, error)) {
    struct stat status {};
    if (base::is_sha256(entry.path().filename().string()) &&
        stat(entry.path().c_str(), &status) == 0) {
      kept.push_back({entry.path(), status.st_mtim.tv_sec, bytes_below(entry.path())});
    } else {
      fs::remove_all(entry.path(), error);
    }
  }
  std::sort(kept.begin(), kept.end(),
            [](const Unpacked& a, const Unpacked& b) { return a.used_at > b.used_at; });
  std::uint64_t bytes = 0;
  for (const Unpacked& each : kept) {
    bytes += each.bytes;
    if (bytes > base::limits::artifacts_unpacked_bytes_max) fs::remove_all(each.path, error);
  }
}

base::Result<std::string> ArtifactFiles::get(const std::string& org_id, const std::string& sha256) {
  std::string directory = root_ + '/' + sha256;
  {
    base::MutexLock lock(mutex_);
    while (making_.contains(sha256)) made_.wait(mutex_);
    if (touch(directory)) return directory;
    making_.insert(sha256);
  }
  base::Result<> done = make(org_id, sha256);
  base::MutexLock lock(mutex_);
  making_.erase(sha256);
  made_.notify_all();
  if (!done) return std::move(done).error();
  return directory;
}

base::Result<> ArtifactFiles::make(const std::string& org_id, const std::string& sha256) const {
  std::string directory = root_ + '/' + sha256;
  std::string unfinished = directory + ".tmp";
  std::error_code ignored;
  fs::remove_all(unfinished, ignored);
  base::Result<> done = unpack(org_id, sha256, unfinished);
  if (done && rename(unfinished.c_str(), directory.c_str()) != 0)
    done = file_error("cannot rename", unfinished);
  if (!done) {
    fs::remove_all(unfinished, ignored);
    return done;
  }
  return sync_directory(root_);
}

base::Result<> ArtifactFiles::unpack(const std::string& org_id, const std::string& sha256,
                                     const std::string& directory) const {
  auto parts = TRY(reading<std::vector<PartRow>>(
      store_, [&](Tx& tx) { return artifact_parts(tx, org_id, sha256); }));
  if (parts.empty()) return base::not_found(fmt::format("no artifact {}", sha256));
  std::string path = directory + ".zip.XXXXXX";
  File zip(mkostemp(path.data(), O_CLOEXEC));
  if (!zip) return file_error("cannot create", path);
  unlink(path.c_str());
  TRY(for_each_part(objects_, parts,
                    [&](const std::string& bytes) { return write_all(zip, bytes, path); }));
  if (mkdir(directory.c_str(), 0755) != 0 || chmod(directory.c_str(), 0755) != 0)
    return file_error("cannot make", directory);
  TRY(unpack_zip(zip, directory));
  if (syncfs(zip.get()) != 0)
    end_after_failed_sync(file_error("cannot sync the files of", directory).message);
  return {};
}

}  // namespace store
