// The store that the settings name, and the objects that go with it.
#pragma once

#include <functional>
#include <memory>

#include "app/data_directory.h"
#include "app/settings.h"
#include "store/objects.h"
#include "store/store.h"

namespace app {

/// `taken_over`: see store::PostgresOptions. Error `invalid` for a URL that names no database we
/// know.
base::Result<std::unique_ptr<store::Store>> open_database(const Settings& settings,
                                                          base::Clock& clock,
                                                          std::function<void()> taken_over = {});

/// In the data directory, or in a database that other nodes see, too.
std::unique_ptr<store::Objects> open_objects(store::Store& store, const DataDirectory& directory,
                                             base::Clock& clock);

}  // namespace app
