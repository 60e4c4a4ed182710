#include "store/environments.h"

#include <fmt/format.h>

namespace store {

base::Result<> insert_first_environments(Tx& tx, const std::string& org_id, base::Timestamp now) {
  struct First {
    const char* slug;
    const char* name;
  };
  constexpr First first[] = {
      {"dev", "Development"}, {"staging", "Staging"}, {"prod", "Production"}};
  int position = 0;
  for (const First& each : first) {
    ++position;
    // As migration 4 makes the ids for organizations that were there before it.
    std::string id = fmt::format("env_{}{}", org_id.substr(4, 25), position);
    TRY(
        tx.run("INSERT INTO environments (environment_id, org_id, slug, name, position, "
               "created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
               {id, org_id, each.slug, each.name, position, now}));
  }
  return {};
}

base::Result<EnvironmentRow> find_environment(Tx& tx, const std::string& org_id,
                                              const std::optional<std::string>& id_or_slug) {
  std::optional<EnvironmentRow> found;
  TRY(
      tx.run("SELECT environment_id, slug FROM environments WHERE org_id = ?1 AND "
             "(?2 IS NULL OR environment_id = ?2 OR slug = ?2) ORDER BY position LIMIT 1",
             {org_id, id_or_slug}, [&](const Row& row) {
               found = EnvironmentRow{row.string(0), row.string(1)};
             }));
  if (!found) return base::not_found("no environment " + id_or_slug.value_or(""));
  return std::move(*found);
}

}  // namespace store
