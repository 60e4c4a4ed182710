// Artifacts: files that flow versions run from, and the uploads that make them. Their bytes are
// objects (objects.h), one a part; here is which they are. Functions of one transaction; every
// query but of the janitor's is within one organization.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/objects.h"
#include "store/tx.h"

namespace store {

/// "dagy://artifacts/<sha256>".
std::string artifact_uri(std::string_view sha256);
/// The SHA-256 in an artifact's URI.
std::optional<std::string> artifact_of(std::string_view uri);

struct UploadRow {
  std::string upload_id;
  std::string org_id;
  std::string filename;
  std::string content_type;
  std::int64_t size_bytes = 0;
  std::string sha256;  // that the whole is to have
  std::int64_t part_size = 0;
  std::string created_by;
  base::Timestamp created_at;
  base::Timestamp expires_at;

  std::int64_t part_count() const { return (size_bytes + part_size - 1) / part_size; }
  /// Of part 1, 2, …: all but the last have part_size.
  std::int64_t part_bytes(std::int64_t number) const;
};

/// An object that is a part, by its number.
struct PartRow {
  std::int64_t number = 0;
  std::string object;
  bool operator==(const PartRow&) const = default;
};

/// Error `conflict` when the organization has as many uploads as it may.
base::Result<> insert_upload(Tx& tx, const UploadRow& row);
/// `not_found` also when its time is over.
base::Result<UploadRow> find_upload(Tx& tx, const std::string& upload_id, base::Timestamp now);
/// In the place of what was there.
base::Result<> put_part(Tx& tx, const std::string& upload_id, const PartRow& part);
/// In order of their numbers.
base::Result<std::vector<PartRow>> upload_parts(Tx& tx, const std::string& upload_id);
base::Result<> delete_upload(Tx& tx, const std::string& upload_id);
/// The upload becomes an artifact, unless the organization has the same one.
base::Result<> finish_upload(Tx& tx, const UploadRow& row, base::Timestamp now);

/// Parts of an artifact in order; none when the organization does not have it.
base::Result<std::vector<PartRow>> artifact_parts(Tx& tx, const std::string& org_id,
                                                  const std::string& sha256);

/// Calls `each` with the bytes of part after part.
template <class Each>
base::Result<> for_each_part(const Objects& objects, const std::vector<PartRow>& parts,
                             const Each& each) {
  for (const PartRow& part : parts) TRY(each(TRY(objects.get(part.object))));
  return {};
}

}  // namespace store
