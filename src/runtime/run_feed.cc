#include "runtime/run_feed.h"

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace runtime {

using model::TaskIndex;

namespace {

struct Touched {
  std::vector<TaskIndex>& tasks;
  const engine::RunState& state;

  template <class F>
  void operator()(const F& fact) {
    if constexpr (requires { fact.task; }) tasks.push_back(fact.task);
  }
  void operator()(const engine::TasksEnded& fact) {
    tasks.insert(tasks.end(), fact.tasks.begin(), fact.tasks.end());
  }
  void operator()(const engine::TaskExpanded& fact) {
    tasks.push_back(fact.task);
    const engine::Elements& elements = state.elements.at(fact.task);
    for (std::uint32_t k = 0; k < elements.count; ++k) tasks.push_back(elements.first + k);
  }
};

RunNews news_of(const LiveRun& run, base::Timestamp at) {
  RunNews news;
  news.run = run.row.id;
  news.seq = run.seq;
  news.at = at;
  news.status = run.state.status;
  news.failure = run.state.failure;
  news.status_changed = changes_status(run.decision.facts);
  news.is_finished = run.finish;
  for (TaskIndex task : changed_tasks(run.decision.facts, run.state))
    news.tasks.push_back(engine::record_of(run.state, task));
  for (const store::LogChunkRow& chunk : run.chunks) {
    auto records = store::decode_log_chunk(chunk.compressed);
    if (!records) continue;  // the shard has just been given it by this process
    for (store::LogRecord& record : *records)
      news.lines.push_back({run.name_of(chunk.task), chunk.attempt, std::move(record)});
  }
  return news;
}

}  // namespace

std::vector<TaskIndex> changed_tasks(const std::vector<engine::Fact>& facts,
                                     const engine::RunState& state) {
  std::vector<TaskIndex> tasks;
  for (const engine::Fact& fact : facts) std::visit(Touched{tasks, state}, fact);
  std::sort(tasks.begin(), tasks.end());
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  return tasks;
}

bool changes_status(const std::vector<engine::Fact>& facts) {
  return std::any_of(facts.begin(), facts.end(), [](const engine::Fact& fact) {
    return std::holds_alternative<engine::RunStarted>(fact) ||
           std::holds_alternative<engine::RunPaused>(fact) ||
           std::holds_alternative<engine::RunResumed>(fact) ||
           std::holds_alternative<engine::RunDecided>(fact);
  });
}

// Those who have gone are noticed at their run's next commit, or when their place is needed.
bool RunFeed::subscribe(base::RunId run, Listener listener) {
  base::MutexLock lock(mutex_);
  if (listeners_.size() >= base::limits::stream_clients_max)
    std::erase_if(listeners_, [](const auto& each) { return each.second.is_gone(); });
  if (listeners_.size() >= base::limits::stream_clients_max) return false;
  listeners_.emplace(run, std::move(listener));
  count_ = listeners_.size();
  return true;
}

void RunFeed::committed(const LiveRun& run, base::Timestamp at) {
  if (count_ == 0) return;
  base::MutexLock lock(mutex_);
  auto [begin, end] = listeners_.equal_range(run.row.id);
  if (begin == end) return;
  RunNews news = news_of(run, at);
  for (auto it = begin; it != end;)
    it = it->second.hear(news) ? std::next(it) : listeners_.erase(it);
  count_ = listeners_.size();
}

}  // namespace runtime
