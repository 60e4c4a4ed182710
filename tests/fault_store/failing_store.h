// A store for tests that fails the N-th call to it, before it acts: an error of a store means that
// nothing has happened.
#pragma once

#include "store/store.h"

namespace faults {

class FailingStore : public store::Store {
 public:
  FailingStore(store::Store& store, int first, int last)
      : store_(store), first_(first), last_(last) {}
  int failed() const { return failed_; }

  base::Result<> write(const store::TxFunction& fn, store::Priority priority) override {
    return call([&] { return store_.write(fn, priority); });
  }
  base::Result<> read(const store::TxFunction& fn) override {
    return call([&] { return store_.read(fn); });
  }
  bool accepts_work() const override { return store_.accepts_work(); }
  base::Result<> check() override { return store_.check(); }
  base::Result<store::CommitResult> commit(const store::EngineBatch& batch) override {
    return call([&] { return store_.commit(batch); });
  }
  base::Result<std::vector<base::RunId>> live_runs() override {
    return call([&] { return store_.live_runs(); });
  }
  base::Result<std::optional<base::RunId>> last_run() override {
    return call([&] { return store_.last_run(); });
  }
  base::Result<std::optional<store::StoredRun>> load_run(base::RunId id) override {
    return call([&] { return store_.load_run(id); });
  }
  base::Result<std::optional<store::Duplicate>> find_key(
      const store::IdempotencyRow& key) override {
    return call([&] { return store_.find_key(key); });
  }
  base::Result<store::StoredSpec> load_spec(const std::string& org_id, const std::string& flow_name,
                                            const std::string& flow_version) override {
    return call([&] { return store_.load_spec(org_id, flow_name, flow_version); });
  }

 private:
  template <class Call>
  auto call(Call real) -> decltype(real()) {
    ++calls_;
    bool fails = calls_ >= first_ && calls_ <= last_;
    if (!fails) return real();
    ++failed_;
    return base::unavailable("scripted");
  }

  store::Store& store_;
  const int first_;
  const int last_;
  int calls_ = 0;
  int failed_ = 0;
};

}  // namespace faults
