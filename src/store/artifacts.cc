#include "store/artifacts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/sha256.h"

namespace store {

namespace {

constexpr std::string_view scheme = "dagy://artifacts/";

base::Result<std::vector<PartRow>> read_parts(Tx& tx, std::string_view sql,
                                              std::initializer_list<Bind> binds) {
  std::vector<PartRow> parts;
  TRY(tx.run(sql, binds, [&](const Row& row) {
    parts.push_back({row.integer(0), row.string(1)});
  }));
  return parts;
}

}  // namespace

std::string artifact_uri(std::string_view sha256) {
  return fmt::format("{}{}", scheme, sha256);
}

std::optional<std::string> artifact_of(std::string_view uri) {
  if (!uri.starts_with(scheme)) return std::nullopt;
  uri.remove_prefix(scheme.size());
  if (!base::is_sha256(uri)) return std::nullopt;
  return std::string(uri);
}

std::int64_t UploadRow::part_bytes(std::int64_t number) const {
  return std::min(part_size, size_bytes - (number - 1) * part_size);
}

base::Result<> insert_upload(Tx& tx, const UploadRow& row) {
  std::int64_t open = 0;
  TRY(tx.run("SELECT COUNT(*) FROM artifact_uploads WHERE org_id = ?1", {row.org_id},
             [&](const Row& found) { open = found.integer(0); }));
  if (open >= base::limits::artifact_uploads_max)
    return base::conflict(fmt::format("an organization has at most {} uploads under way",
                                      base::limits::artifact_uploads_max));
  TRY(
      tx.run("INSERT INTO artifact_uploads (upload_id, org_id, filename, content_type, size_bytes, "
             "sha256, part_size, created_by, created_at, expires_at) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
             {row.upload_id, row.org_id, row.filename, row.content_type, row.size_bytes, row.sha256,
              row.part_size, row.created_by, row.created_at, row.expires_at}));
  return {};
}

base::Result<UploadRow> find_upload(Tx& tx, const std::string& upload_id, base::Timestamp now) {
  std::optional<UploadRow> found;
  TRY(
      tx.run("SELECT upload_id, org_id, filename, content_type, size_bytes, sha256, part_size, "
             "created_by, created_at, expires_at FROM artifact_uploads WHERE upload_id = ?1 AND "
             "expires_at > ?2",
             {upload_id, now}, [&](const Row& row) {
               found = UploadRow{row.string(0),    row.string(1),   row.string(2),  row.string(3),
                                 row.integer(4),   row.string(5),   row.integer(6), row.string(7),
                                 row.timestamp(8), row.timestamp(9)};
             }));
  if (!found) return base::not_found(fmt::format("no upload {} is under way", upload_id));
  return std::move(*found);
}

base::Result<> put_part(Tx& tx, const std::string& upload_id, const PartRow& part) {
  TRY(
      tx.run("INSERT INTO artifact_upload_parts (upload_id, part_number, object) "
             "VALUES (?1, ?2, ?3) ON CONFLICT (upload_id, part_number) DO UPDATE SET "
             "object = excluded.object",
             {upload_id, part.number, part.object}));
  return {};
}

base::Result<std::vector<PartRow>> upload_parts(Tx& tx, const std::string& upload_id) {
  return read_parts(tx,
                    "SELECT part_number, object FROM artifact_upload_parts WHERE upload_id = ?1 "
                    "ORDER BY part_number",
                    {upload_id});
}

base::Result<> delete_upload(Tx& tx, const std::string& upload_id) {
  TRY(tx.run("DELETE FROM artifact_upload_parts WHERE upload_id = ?1", {upload_id}));
  TRY(tx.run("DELETE FROM artifact_uploads WHERE upload_id = ?1", {upload_id}));
  return {};
}

base::Result<> finish_upload(Tx& tx, const UploadRow& row, base::Timestamp now) {
  bool known = !TRY(artifact_parts(tx, row.org_id, row.sha256)).empty();
  TRY(
      tx.run("INSERT INTO artifacts (org_id, sha256, filename, content_type, size_bytes, "
             "created_by, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
             "ON CONFLICT (org_id, sha256) DO UPDATE SET created_at = excluded.created_at",
             {row.org_id, row.sha256, row.filename, row.content_type, row.size_bytes,
              row.created_by, now}));
  if (!known)
    TRY(
        tx.run("INSERT INTO artifact_parts (org_id, sha256, part_number, object) "
               "SELECT ?2, ?3, part_number, object FROM artifact_upload_parts WHERE "
               "upload_id = ?1",
               {row.upload_id, row.org_id, row.sha256}));
  return delete_upload(tx, row.upload_id);
}

base::Result<std::vector<PartRow>> artifact_parts(Tx& tx, const std::string& org_id,
                                                  const std::string& sha256) {
  return read_parts(tx,
                    "SELECT part_number, object FROM artifact_parts WHERE org_id = ?1 AND "
                    "sha256 = ?2 ORDER BY part_number",
                    {org_id, sha256});
}

}  // namespace store
