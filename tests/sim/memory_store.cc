#include "sim/memory_store.h"

namespace sim {

namespace {
MemoryStore::IdempotencyKey key_of(const store::IdempotencyRow& row) {
  return {row.org_id, row.principal, row.route, row.key};
}
}  // namespace

base::Result<store::CommitResult> MemoryStore::commit(const store::EngineBatch& batch) {
  if (batch.empty()) violate("an empty batch is committed");
  work();
  CommitFault now = fault(++commits_);
  if (now == CommitFault::fails) {
    ++failures_;
    trace_("  commit {} fails", commits_);
    return base::unavailable("the disk is full");
  }
  if (now == CommitFault::crash_before) {
    trace_("  power goes before commit {}", commits_);
    throw Crash{};
  }
  store::CommitResult result = apply(batch);
  trace_("  commit {}: {} created, {} rows, {} logs, {} finished", commits_, batch.created.size(),
         batch.journal.size(), batch.logs.size(), batch.finished.size());
  for (const store::JournalRow& row : batch.journal)
    trace_("    {} #{} {}", to_string(row.run), row.seq, row.facts);
  if (now == CommitFault::crash_after) {
    trace_("  power goes after commit {}", commits_);
    throw Crash{};
  }
  return result;
}

store::CommitResult MemoryStore::apply(const store::EngineBatch& batch) {
  store::CommitResult result;
  std::set<RunId> dropped;
  create(batch, result, dropped);
  insert_journal(batch, dropped);
  change_statuses(batch);
  insert_logs(batch);
  for (const store::JournalRow& row : batch.journal)
    if (!dropped.contains(row.run)) live_.at(row.run).last_seq = row.seq;
  change_approvals(batch);
  for (const store::FinishedRunRow& row : batch.finished) finish(row);
  for (const store::CachedRow& row : batch.cached) {
    ledger_.add_cached(row);
    cached_[{row.org_id, row.cache_key}] = row;
  }
  return result;
}

void MemoryStore::create(const store::EngineBatch& batch, store::CommitResult& result,
                         std::set<RunId>& dropped) {
  for (const auto& [run, key] : batch.created) {
    if (has(run.id)) violate("{} is created twice", to_string(run.id));
    if (key && key->run != run.id) violate("an Idempotency-Key names another run");
    if (const store::IdempotencyRow* holder = key ? holder_of(*key) : nullptr) {
      result.duplicates.push_back({run.id, holder->run, holder->body_hash == key->body_hash});
      dropped.insert(run.id);
      continue;
    }
    if (key) keys_.emplace(key_of(*key), *key);
    live_[run.id].row = run;
    ledger_.create(run, flows.at(run.flow_name).plan);
  }
}

void MemoryStore::insert_journal(const store::EngineBatch& batch, const std::set<RunId>& dropped) {
  for (const store::JournalRow& row : batch.journal) {
    if (dropped.contains(row.run)) continue;
    auto found = live_.find(row.run);
    if (found == live_.end()) violate("a journal row of {} that does not live", to_string(row.run));
    Live& run = found->second;
    if (row.seq != run.last_seq + 1) violate("{} writes seq {}", to_string(row.run), row.seq);
    run.journal.emplace(row.seq, row.facts);
    ledger_.add_row(row.run, row.facts);
  }
}

void MemoryStore::change_statuses(const store::EngineBatch& batch) {
  for (const store::StatusRow& row : batch.statuses) {
    auto found = live_.find(row.run);
    if (found == live_.end()) violate("a status of {} that does not live", to_string(row.run));
    if (model::is_final(found->second.row.status)) violate("a final status is changed");
    found->second.row.status = row.status;
    found->second.row.started_at = row.started_at;
  }
}

// As a database would: opened, then closed; what is closed need not be there.
void MemoryStore::change_approvals(const store::EngineBatch& batch) {
  for (const store::ApprovalRow& row : batch.approvals_opened) {
    if (!live_.contains(row.run))
      violate("an approval of {} that does not live", to_string(row.run));
    if (!approvals_.emplace(std::pair(row.run, row.task), row).second)
      violate("an approval of {} is opened twice", to_string(row.run));
  }
  for (const auto& key : batch.approvals_closed) approvals_.erase(key);
}

std::optional<model::Value> MemoryStore::find_cached(const std::string& org_id,
                                                     const std::string& key,
                                                     base::Timestamp now) const {
  auto found = cached_.find({org_id, key});
  if (key.empty() || found == cached_.end() || found->second.expires_at <= now) return std::nullopt;
  return found->second.output;
}

void MemoryStore::insert_logs(const store::EngineBatch& batch) {
  for (const store::LogChunkRow& row : batch.logs) {
    auto found = live_.find(row.run);
    if (found == live_.end()) violate("a log chunk of {} that does not live", to_string(row.run));
    if (row.seq != found->second.last_seq + 1 && row.first_line == 0)
      violate("{} writes a log chunk at seq {}", to_string(row.run), row.seq);
    auto before = logs_.lower_bound({row.run, row.seq, row.first_line});
    bool follows = row.first_line == 0;
    if (!follows && before != logs_.begin()) {
      const store::LogChunkRow& previous = std::prev(before)->second;
      follows = previous.run == row.run && previous.seq == row.seq &&
                previous.first_line + previous.lines == row.first_line;
    }
    if (!follows) violate("{} leaves out log lines", to_string(row.run));
    if (!logs_.emplace(LogKey{row.run, row.seq, row.first_line}, row).second)
      violate("{} writes a log chunk twice", to_string(row.run));
  }
  for (const store::LogChunkRow& row : batch.logs) live_.at(row.run).last_seq = row.seq;
}

void MemoryStore::finish(const store::FinishedRunRow& row) {
  auto found = live_.find(row.run);
  if (found == live_.end()) violate("{} ends but does not live", to_string(row.run));
  if (!model::is_final(row.status)) violate("{} ends without a final status", to_string(row.run));
  bool damaged = row.failure && row.failure->kind == "damaged";
  if (!damaged && row.journal_rows != std::ssize(found->second.journal))
    violate("{} miscounts its journal", to_string(row.run));
  if (row.task_chunks.empty()) violate("{} ends without task records", to_string(row.run));
  if (!finished_.emplace(row.run, row).second) violate("{} ends twice", to_string(row.run));
  if (row.had_approvals)
    std::erase_if(approvals_, [&](const auto& each) { return each.first.first == row.run; });
  ledger_.finish(row);
  live_.erase(found);
}

base::Result<std::vector<RunId>> MemoryStore::live_runs() {
  std::vector<RunId> ids;
  for (const auto& [id, run] : live_) ids.push_back(id);
  return ids;
}

base::Result<std::optional<RunId>> MemoryStore::last_run() {
  std::optional<RunId> last;
  if (!live_.empty()) last = live_.rbegin()->first;
  if (!finished_.empty() && (!last || finished_.rbegin()->first > *last))
    last = finished_.rbegin()->first;
  return last;
}

base::Result<> MemoryStore::fail_read() {
  if (fault(0) != CommitFault::fails) return {};
  ++failures_;
  trace_("  a read fails");
  return base::unavailable("the disk does not answer");
}

base::Result<std::optional<store::StoredRun>> MemoryStore::load_run(RunId id) {
  TRY(fail_read());
  auto found = live_.find(id);
  if (found == live_.end()) return std::optional<store::StoredRun>();
  store::StoredRun stored{found->second.row, {}, found->second.last_seq};
  for (const auto& [seq, facts] : found->second.journal) stored.journal.push_back(facts);
  return std::optional(std::move(stored));
}

base::Result<std::optional<store::Duplicate>> MemoryStore::find_key(
    const store::IdempotencyRow& key) {
  TRY(fail_read());
  const store::IdempotencyRow* holder = holder_of(key);
  if (holder == nullptr) return std::optional<store::Duplicate>();
  return std::optional(store::Duplicate{{}, holder->run, holder->body_hash == key.body_hash});
}

base::Result<store::StoredSpec> MemoryStore::load_spec(const std::string&,
                                                       const std::string& flow_name,
                                                       const std::string&) {
  auto found = flows.find(flow_name);
  if (found == flows.end()) return base::not_found("no such flow");
  return store::StoredSpec{found->second.spec, {}};
}

const store::IdempotencyRow* MemoryStore::holder_of(const store::IdempotencyRow& key) const {
  auto found = keys_.find(key_of(key));
  return found == keys_.end() ? nullptr : &found->second;
}

}  // namespace sim
