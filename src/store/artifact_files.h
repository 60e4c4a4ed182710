// Artifacts unpacked, one directory each: what attempts run from. A copy of what the objects have,
// made when it is first needed.
#pragma once

#include <set>
#include <string>

#include "base/thread_safety.h"
#include "store/objects.h"
#include "store/store.h"

namespace store {

/// Thread-safe.
class ArtifactFiles {
 public:
  /// `root` is created when it is missing.
  ArtifactFiles(std::string root, Store& store, const Objects& objects);

  /// Removes what a crash left half made, and the longest unused beyond
  /// artifacts_unpacked_bytes_max. At the start, before there are attempts.
  void tidy();
  /// The directory of an artifact of the organization. Errors: `not_found`; `invalid` when it is
  /// not a sound ZIP file (zip.h).
  base::Result<std::string> get(const std::string& org_id, const std::string& sha256)
      EXCLUDES(mutex_);

 private:
  base::Result<> make(const std::string& org_id, const std::string& sha256) const;
  base::Result<> unpack(const std::string& org_id, const std::string& sha256,
                        const std::string& directory) const;

  const std::string root_;
  Store& store_;
  const Objects& objects_;
  base::Mutex mutex_;
  base::CondVar made_;
  std::set<std::string> making_ GUARDED_BY(mutex_);
};

}  // namespace store
