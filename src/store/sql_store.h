// What the stores on both databases have in common: the engine's reads, each one transaction.
#pragma once

#include "store/engine_sql.h"
#include "store/reading.h"

namespace store {

class SqlStore : public Store {
 public:
  base::Result<std::vector<base::RunId>> live_runs() override {
    return reading<std::vector<base::RunId>>(*this, read_live_runs);
  }
  base::Result<std::optional<base::RunId>> last_run() override {
    return reading<std::optional<base::RunId>>(*this, read_last_run);
  }
  base::Result<std::optional<Duplicate>> find_key(const IdempotencyRow& key) override {
    return reading<std::optional<Duplicate>>(*this,
                                             [&](Tx& tx) { return read_key_holder(tx, key); });
  }
  base::Result<std::optional<StoredRun>> load_run(base::RunId id) override {
    return reading<std::optional<StoredRun>>(*this,
                                             [&](Tx& tx) { return read_stored_run(tx, id); });
  }
  base::Result<StoredSpec> load_spec(const std::string& org_id, const std::string& flow_name,
                                     const std::string& flow_version) override {
    return reading<StoredSpec>(
        *this, [&](Tx& tx) { return read_spec(tx, org_id, flow_name, flow_version); });
  }
};

}  // namespace store
