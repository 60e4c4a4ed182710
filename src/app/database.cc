#include "app/database.h"

#include <string_view>

namespace app {

namespace {

constexpr std::string_view sqlite = "sqlite:";

bool is_postgres(std::string_view url) {
  return url.starts_with("postgresql://") || url.starts_with("postgres://");
}

}  // namespace

base::Result<std::unique_ptr<store::Store>> open_database(const Settings& settings,
                                                          base::Clock& clock,
                                                          std::function<void()> taken_over) {
  const std::string& url = settings.database_url;
  if (is_postgres(url))
    return store::open_postgres({url, settings.database_connections, std::move(taken_over)}, clock);
  if (!url.starts_with(sqlite))
    return base::invalid("DAGY_DATABASE_URL must start with 'sqlite:' or 'postgresql://'");
  std::string path = url.substr(sqlite.size());
  return store::open_sqlite({path.empty() ? settings.data_dir + "/dagy.db" : path}, clock);
}

std::unique_ptr<store::Objects> open_objects(store::Store& store, const DataDirectory& directory,
                                             base::Clock& clock) {
  if (store.membership() != nullptr) return std::make_unique<store::ObjectTable>(store, clock);
  return std::make_unique<store::ObjectDirectory>(directory.file("objects"));
}

}  // namespace app
