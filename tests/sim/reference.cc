#include "sim/reference.h"

#include <algorithm>

namespace sim {

using engine::TaskRecord;

namespace {

class Reference {
 public:
  Reference(const store::FinishedRunRow& row, const model::Plan& plan, const Script& script)
      : row_(row), plan_(plan), script_(script) {
    for (const std::string& chunk : row.task_chunks)
      if (!engine::decode_tasks(chunk, records_)) fail("has damaged task records");
    if (records_.size() != plan.tasks.size()) fail("has a wrong number of task records");
  }

  void run(bool cancel_was_asked) {
    bool timed_out = row_.status == RunStatus::failed && row_.failure &&
                     row_.failure->message.starts_with("the run took longer");
    bool cancelled = row_.status == RunStatus::cancelled;
    if (cancelled && !cancel_was_asked) fail("is CANCELLED though nobody asked");
    if (timed_out && !(plan_.timeout && row_.finished_at >= *row_.started_at + *plan_.timeout))
      fail("timed out before its time");
    bool failed = false;
    for (const TaskRecord& record : records_) failed |= is_failure(record.status);
    bool cut_short = cancelled || timed_out || (plan_.fail_fast && failed);
    for (TaskIndex i = 0; i < records_.size(); ++i) check_task(i, cut_short);
    if (cancelled || timed_out) return;
    if (row_.status != (failed ? RunStatus::failed : RunStatus::succeeded))
      fail("has a status that its tasks do not give");
    if (failed != row_.failure.has_value()) fail("tells no failure, or one too many");
  }

 private:
  static bool is_failure(TaskStatus status) {
    return status == TaskStatus::failed || status == TaskStatus::timed_out;
  }
  [[noreturn]] void fail(std::string_view what) { violate("{} {}", to_string(row_.run), what); }
  [[noreturn]] void fail(TaskIndex i, std::string_view what) {
    violate("{} task {} ({}) {}", to_string(row_.run), plan_.tasks[i].id,
            base::name_of(records_[i].status), what);
  }

  void check_task(TaskIndex i, bool cut_short) {
    const auto& parents = plan_.tasks[i].parents;
    bool all_succeeded = std::all_of(parents.begin(), parents.end(), [&](TaskIndex parent) {
      return records_[parent].status == TaskStatus::succeeded;
    });
    TaskStatus status = records_[i].status;
    if (!model::is_final(status)) fail(i, "has not ended");
    if (status == TaskStatus::cancelled) {
      if (!cut_short) fail(i, "though nothing cut the run short");
    } else if (status == TaskStatus::skipped) {
      if (all_succeeded) fail(i, "though all its parents succeeded");
      if (plan_.fail_fast) fail(i, "though fail_fast cancels");
    } else if (!all_succeeded) {
      fail(i, "though not all its parents succeeded");
    }
    check_attempts(i);
  }

  void check_attempts(TaskIndex i) {
    const TaskRecord& record = records_[i];
    for (std::size_t n = 0; n < record.earlier.size(); ++n) {
      const engine::EarlierAttempt& earlier = record.earlier[n];
      if (earlier.attempt != int(n) + 1) fail(i, "numbers its attempts wrongly");
      check_failure(i, earlier.attempt, earlier.failure.kind);
      if (!is_retried(i, earlier.failure.kind)) fail(i, "retried what it must not");
    }
    if (std::ssize(record.earlier) >= plan_.tasks[i].attempts_max) fail(i, "retried too often");
    Outcome last = script_.outcome(row_.run, i, record.attempt);
    if (record.status == TaskStatus::succeeded) {
      if (!last.succeeds) fail(i, "though its attempt failed");
      if (record.output->json != fmt::format("\"{}.{}\"", i, record.attempt))
        fail(i, "has a wrong output");
    }
    if (!is_failure(record.status)) return;
    const std::string& kind = record.failure->kind;
    check_failure(i, record.attempt, kind);
    if (kind != "node_lost" && record.attempt < plan_.tasks[i].attempts_max && is_retried(i, kind))
      fail(i, "though it had attempts left");
    if ((record.status == TaskStatus::timed_out) != (kind == "timeout"))
      fail(i, "and its failure disagree");
  }

  void check_failure(TaskIndex i, int attempt, const std::string& kind) {
    if (kind == "node_lost" && attempt == records_[i].attempt) return;  // the ledger has counted
    if (kind == "timeout") {
      if (!plan_.tasks[i].timeout) fail(i, "timed out without a timeout");
      return;
    }
    Outcome outcome = script_.outcome(row_.run, i, attempt);
    if (outcome.succeeds || outcome.kind != kind)
      fail(i, "failed in a way its script does not tell");
  }

  bool is_retried(TaskIndex i, const std::string& kind) const {
    const auto& kinds = plan_.tasks[i].retry_on;
    return !kinds || std::find(kinds->begin(), kinds->end(), kind) != kinds->end();
  }

  const store::FinishedRunRow& row_;
  const model::Plan& plan_;
  const Script& script_;
  std::vector<TaskRecord> records_;
};

}  // namespace

void check_finished(const store::FinishedRunRow& row, const model::Plan& plan, const Script& script,
                    bool cancel_was_asked) {
  Reference(row, plan, script).run(cancel_was_asked);
}

}  // namespace sim
