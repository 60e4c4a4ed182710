#include "runtime/attempts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <utility>

#include "base/json_writer.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "exec/tiers.h"
#include "runtime/new_run.h"

namespace runtime {

namespace limits = base::limits;

namespace {

constexpr std::size_t pool_threads = 2;

// Lines on their way to the store. One chunk is about log_chunk_bytes_max of text. `total` counts
// the bytes of all attempts of the task run; attempts of one follow each other.
class LogBuffer {
 public:
  explicit LogBuffer(std::shared_ptr<std::size_t> total) : total_(std::move(total)) {}

  void add(exec::LogLine line) {
    if (*total_ > limits::log_bytes_max) return;
    *total_ += line.text.size() + 1;
    pending_ += line.text.size() + 1;
    if (*total_ > limits::log_bytes_max)
      line = {line.time, true, false,
              fmt::format("the log is longer than {} MiB, the rest is dropped",
                          limits::log_bytes_max >> 20)};
    lines_.push_back({line.time, line.from_stderr, line.cut, std::move(line.text)});
  }
  bool empty() const { return lines_.empty(); }
  bool is_chunk() const { return pending_ >= limits::log_chunk_bytes_max; }
  LogChunk take() {
    LogChunk chunk{static_cast<int>(lines_.size()), store::encode_log_chunk(lines_)};
    lines_.clear();
    pending_ = 0;
    return chunk;
  }

 private:
  std::vector<store::LogRecord> lines_;
  std::size_t pending_ = 0;
  std::shared_ptr<std::size_t> total_;
};

// W3C trace context: the trace is the run, the span is the attempt.
std::string traceparent(base::RunId run, std::string_view attempt) {
  return fmt::format("00-{}-{}-01", base::sha256_hex(to_string(run)).substr(0, 32),
                     base::sha256_hex(attempt).substr(0, 16));
}

// A rule of its config that a template broke, an expression that failed, or a lack of the machine.
nodes::Outcome could_not_start(const TaskValues& values, const base::Error& error) {
  bool is_config = !error.fields.empty() && values.failure_kind() != "expression";
  if (!is_config) return nodes::Outcome::fail(std::string(values.failure_kind()), error.message);
  std::string message;
  for (const base::FieldError& field : error.fields)
    message +=
        fmt::format("{}/config{}: {}", message.empty() ? "" : "; ", field.path, field.message);
  return nodes::Outcome::fail("invalid_config", std::move(message));
}

// One line for each request, without what its query or body may hold.
std::vector<exec::LogLine> log_lines(const std::vector<net::HttpHop>& hops, base::Timestamp now) {
  std::vector<exec::LogLine> lines;
  for (const net::HttpHop& hop : hops) {
    std::string answer = hop.status == 0
                             ? "no answer"
                             : fmt::format("status {}, {} bytes", hop.status, hop.body_bytes);
    lines.push_back({.time = now,
                     .text = fmt::format("{} {}: {}, {} ms", hop.method, hop.url, answer,
                                         hop.microseconds / 1000)});
  }
  return lines;
}

}  // namespace

struct Attempts::Attempt {
  Attempt(AttemptStart attempt_start, std::shared_ptr<std::size_t> log_bytes)
      : start(std::move(attempt_start)), log(std::move(log_bytes)) {}

  Key key() const { return {start.context.run, start.context.task, start.epoch}; }
  const model::PlannedTask& task() const { return start.context.planned_task(); }
  void send_log(RunLoop& loop) REQUIRES(mutex) {
    loop.log(AttemptLog{start.context.run, start.context.task, start.epoch, log.take()});
  }

  AttemptStart start;
  const nodes::NodeType* type = nullptr;

  base::Mutex mutex;  // may be held while the inbox is full, so never taken by the loop's thread
  LogBuffer log GUARDED_BY(mutex);
  std::optional<std::string> last_line GUARDED_BY(mutex) = "";  // of standard output, unless cut

  base::Mutex work_mutex;  // of what is under way
  std::optional<exec::ProcessId> process GUARDED_BY(work_mutex);
  std::optional<net::HttpClient::Id> call GUARDED_BY(work_mutex);
  bool stop_requested GUARDED_BY(work_mutex) = false;

  std::unique_ptr<nodes::Exchange> exchange;  // of the job that goes on with it, one at a time
};

Attempts::Attempts(std::unique_ptr<exec::ProcessHost> host, std::unique_ptr<net::HttpClient> http,
                   Evaluator& evaluator, const Connections& connections, store::Objects& objects,
                   store::ArtifactFiles& artifacts, base::Clock& clock, AttemptPlaces places)
    : host_(std::move(host)),
      http_(std::move(http)),
      evaluator_(evaluator),
      connections_(connections),
      objects_(objects),
      artifacts_(artifacts),
      clock_(clock),
      places_(std::move(places)),
      flusher_([this] { flush_loop(); }),
      pool_(pool_threads) {
  std::error_code ignored;
  std::filesystem::create_directories(places_.work_root, ignored);
  host_->on_spawner_death([] {
    // Its processes died with it. Ended now, they are recovered as lost; reported, they would fail.
    base::log_error("the spawner died, the server ends");
    _exit(1);
  });
}

Attempts::~Attempts() {
  shut_down();
}

void Attempts::shut_down() {
  if (!host_) return;
  http_->stop();
  pool_.finish();  // first what it still launches
  host_.reset();
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    dirty_changed_.notify_one();
  }
  flusher_.join();
}

void Attempts::keep_directories(const std::vector<base::RunId>& live) {
  std::set<std::string> kept;
  for (base::RunId run : live) kept.insert(to_string(run));
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(places_.work_root, ignored))
    if (!kept.contains(entry.path().filename())) std::filesystem::remove_all(entry, ignored);
}

std::string Attempts::work_directory(base::RunId run) const {
  return places_.work_root + "/" + to_string(run);
}

void Attempts::start(AttemptStart start) {
  const model::PlannedTask& task = start.context.planned_task();
  const nodes::NodeType* type = nodes::find(task.type->type);
  bool is_instant = type->prepare == nullptr && type->converse == nullptr &&
                    task.type->kind == model::NodeKind::attempt;
  if (is_instant && task.iterations_max == 0)
    return loop_->report(
        AttemptEnded{start.context.run, {start.context.task, start.epoch, true, {}, {}}, {}});
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    auto& log_bytes = log_bytes_[start.context.run][start.context.task];
    if (!log_bytes) log_bytes = std::make_shared<std::size_t>(0);
    attempt = std::make_shared<Attempt>(std::move(start), log_bytes);
    attempt->type = type;
    attempts_[attempt->key()] = attempt;
  }
  if (task.type->kind == model::NodeKind::subflow)
    return pool_.submit([this, attempt] { start_child(attempt); });
  if (is_instant)
    return pool_.submit([this, attempt] { report(attempt, nodes::Outcome::success("null")); });
  if (type->converse != nullptr) return pool_.submit([this, attempt] { converse(attempt); });
  pool_.submit([this, attempt] { launch(attempt); });
}

void Attempts::compute(ComputeStart start) {
  pool_.submit([this, kept = std::make_shared<ComputeStart>(std::move(start))] {
    loop_->report(evaluator_.compute(*kept));
  });
}

void Attempts::collect(ChildEnd end) {
  pool_.submit([this, kept = std::make_shared<ChildEnd>(std::move(end))] {
    loop_->report(AttemptEnded{kept->run, evaluator_.collect(*kept), {}});
  });
}

void Attempts::start_child(const std::shared_ptr<Attempt>& attempt) {
  auto child = evaluator_.start_child(attempt->start);
  if (auto* failure = std::get_if<model::Failure>(&child))
    return report(attempt, nodes::Outcome::fail(failure->kind, failure->message));
  forget(attempt);
  loop_->report(std::move(std::get<StartChild>(child)));
}

void Attempts::stop(base::RunId run, model::TaskIndex task, int epoch) {
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    auto found = attempts_.find({run, task, epoch});
    if (found == attempts_.end()) return;
    attempt = found->second;
  }
  base::MutexLock lock(attempt->work_mutex);
  attempt->stop_requested = true;
  if (attempt->process) host_->stop(*attempt->process);
  if (attempt->call) http_->cancel(*attempt->call);
}

void Attempts::finished(base::RunId run) {
  {
    base::MutexLock lock(mutex_);
    if (log_bytes_.erase(run) == 0) return;  // it had no process
  }
  pool_.submit([path = work_directory(run)] {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  });
}

void Attempts::launch(const std::shared_ptr<Attempt>& attempt) {
  TaskValues values(attempt->start.context, objects_, evaluator_.map_lists());
  base::Result<nodes::Prepared> prepared = prepare(*attempt, values);
  if (!prepared) return report(attempt, could_not_start(values, prepared.error()));
  base::MutexLock lock(attempt->work_mutex);
  if (attempt->stop_requested) {
    lock.unlock();
    return end(attempt,
               exec::ProcessEnd{.start_error = base::unavailable("stopped before it began")});
  }
  attempt->process = host_->start(
      std::move(prepared->process),
      {[this, attempt](std::vector<exec::LogLine> lines) { take_lines(attempt, std::move(lines)); },
       [this, attempt](exec::ProcessEnd ended) {
         // A large result is parsed and stored off the host's thread.
         if (ended.result.size() <= limits::inline_value_bytes_max)
           return end(attempt, std::move(ended));
         pool_.submit([this, attempt, kept = std::make_shared<exec::ProcessEnd>(std::move(ended))] {
           end(attempt, std::move(*kept));
         });
       }});
}

base::Result<> Attempts::run_alone(exec::ProcessSpec process,
                                   std::function<void(exec::ProcessEnd)> done) {
  if (++alone_ > limits::processes_alone_max) {
    --alone_;
    return base::unavailable("too many of these are under way, try again");
  }
  std::string directory = fmt::format("{}/alone-{}", places_.work_root, ++alone_number_);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  process.working_directory = process.run_directory = directory;
  host_->start(std::move(process),
               {[](std::vector<exec::LogLine>) {},
                [this, directory, done = std::move(done)](exec::ProcessEnd ended) {
                  --alone_;
                  std::error_code ignored;
                  std::filesystem::remove_all(directory, ignored);
                  done(std::move(ended));
                }});
  return {};
}

base::Result<nodes::NodeContext> Attempts::context_of(const Attempt& attempt, TaskValues& values) {
  const TaskContext& run = attempt.start.context;
  const model::PlannedTask& task = attempt.task();
  std::string run_id = to_string(run.run);
  nodes::NodeContext context;
  context.config = TRY(values.config());
  context.inputs = TRY(values.inputs());
  context.parameters = TRY(values.parameters());
  context.working_directory = work_directory(run.run);
  // The same for every attempt of the same piece of work.
  context.idempotency_key = run_id + ":" + model::task_run_name(task.id, run.map_index);
  if (task.iterations_max > 0)
    context.idempotency_key += fmt::format("#{}", attempt.start.iteration);
  context.traceparent =
      traceparent(run.run, fmt::format("{}:{}", context.idempotency_key, attempt.start.epoch));
  context.environment = {"DAGY_RUN_ID=" + run_id, "DAGY_TASK_ID=" + task.id,
                         fmt::format("DAGY_ATTEMPT={}", attempt.start.attempt),
                         "DAGY_IDEMPOTENCY_KEY=" + context.idempotency_key,
                         "TRACEPARENT=" + context.traceparent};
  context.connection = [this, org_id = run.org_id](const std::string& name) {
    return connections_.access(org_id, name);
  };
  if (run.map_index >= 0)
    context.environment.push_back(fmt::format("DAGY_MAP_INDEX={}", run.map_index));
  return context;
}

base::Result<nodes::Prepared> Attempts::prepare(Attempt& attempt, TaskValues& values) {
  nodes::NodeContext context = TRY(context_of(attempt, values));
  const model::Plan& plan = *attempt.start.context.plan;
  if (!plan.artifact.empty() && attempt.type->info.module != nullptr)
    context.artifact_directory = TRY(artifacts_.get(attempt.start.context.org_id, plan.artifact));
  context.sdk_path = places_.sdk_path;
  std::error_code error;
  std::filesystem::create_directories(context.working_directory, error);
  if (error) return base::unavailable("cannot create " + context.working_directory);
  nodes::Prepared prepared = TRY(attempt.type->prepare(context));
  exec::ProcessSpec& process = prepared.process;
  exec::Tier tier = exec::tier_of(attempt.task().execution_mode.value_or(
      model::execution_mode_of(attempt.start.context.execution_mode)));
  bool is_limited = process.memory_bytes_max > 0 && process.memory_bytes_max < tier.memory_bytes;
  if (!is_limited) process.memory_bytes_max = tier.memory_bytes;
  process.cpu_millis_max = static_cast<std::size_t>(tier.cpu_millis);
  process.organization = attempt.start.context.org_id;
  process.run_directory = context.working_directory;
  return prepared;
}

// ---- calls ----

void Attempts::converse(const std::shared_ptr<Attempt>& attempt) {
  TaskValues values(attempt->start.context, objects_, evaluator_.map_lists());
  auto context = context_of(*attempt, values);
  auto exchange = context ? attempt->type->converse(*context) : context.error();
  if (!exchange) return report(attempt, could_not_start(values, exchange.error()));
  attempt->exchange = std::move(*exchange);
  go_on(attempt, nullptr);
}

void Attempts::go_on(const std::shared_ptr<Attempt>& attempt, net::HttpEnd* last) {
  auto next = attempt->exchange->next(last);
  if (auto* outcome = std::get_if<nodes::Outcome>(&next))
    return report(attempt, std::move(*outcome));
  base::MutexLock lock(attempt->work_mutex);
  if (attempt->stop_requested) {
    lock.unlock();
    return report(attempt, nodes::Outcome::fail("cancelled", "stopped"));
  }
  attempt->call = http_->start(
      std::move(std::get<net::HttpRequest>(next)), [this, attempt](net::HttpEnd ended) {
        pool_.submit([this, attempt, kept = std::make_shared<net::HttpEnd>(std::move(ended))] {
          take_lines(attempt, log_lines(kept->hops, clock_.now()));
          go_on(attempt, kept.get());
        });
      });
}

// ---- log lines ----

void Attempts::take_lines(const std::shared_ptr<Attempt>& attempt,
                          std::vector<exec::LogLine> lines) {
  bool waits = false;
  {
    base::MutexLock lock(attempt->mutex);
    for (exec::LogLine& line : lines) {
      if (!line.from_stderr) attempt->last_line.reset();
      if (!line.from_stderr && !line.cut) attempt->last_line = line.text;
      attempt->log.add(std::move(line));
      if (attempt->log.is_chunk()) attempt->send_log(*loop_);
    }
    waits = !attempt->log.empty();
  }
  if (!waits) return;
  base::MutexLock lock(mutex_);
  dirty_.insert(attempt);
  dirty_changed_.notify_one();
}

// Sends what attempts have logged at the latest log_flush_interval after it came.
void Attempts::flush_loop() {
  while (true) {
    std::set<std::shared_ptr<Attempt>> dirty;
    {
      base::MutexLock lock(mutex_);
      while (dirty_.empty() && !stopping_) dirty_changed_.wait(mutex_);
      base::SteadyTime until = clock_.steady() + limits::log_flush_interval;
      while (!stopping_)
        if (!dirty_changed_.wait_until(mutex_, until)) break;
      if (stopping_) return;
      dirty.swap(dirty_);
    }
    for (const std::shared_ptr<Attempt>& attempt : dirty) {
      base::MutexLock lock(attempt->mutex);
      if (!attempt->log.empty()) attempt->send_log(*loop_);
    }
  }
}

// ---- the end ----

void Attempts::end(const std::shared_ptr<Attempt>& attempt, exec::ProcessEnd ended) {
  {
    base::MutexLock lock(attempt->work_mutex);
    attempt->process.reset();
  }
  std::optional<std::string> last_line;
  {
    base::MutexLock lock(attempt->mutex);
    last_line = attempt->last_line;
  }
  nodes::Outcome outcome = nodes::conclude(*attempt->type, ended, last_line);
  // Expressions are not evaluated on the host's thread.
  if (!outcome.succeeded || attempt->task().iterations_max == 0)
    return report(attempt, std::move(outcome));
  pool_.submit([this, attempt, kept = std::make_shared<nodes::Outcome>(std::move(outcome))] {
    report(attempt, std::move(*kept));
  });
}

void Attempts::report(const std::shared_ptr<Attempt>& attempt, nodes::Outcome outcome) {
  AttemptEnded ended;
  ended.run = attempt->start.context.run;
  ended.report = report_of(*attempt, std::move(outcome));
  auto& message = ended.report.failure.message;
  message = std::string(base::utf8_prefix(message, limits::error_bytes_max));
  {
    base::MutexLock lock(attempt->mutex);
    if (!attempt->log.empty()) ended.last_chunks.push_back(attempt->log.take());
    loop_->report(std::move(ended));
  }
  forget(attempt);
}

engine::AttemptReport Attempts::report_of(const Attempt& attempt, nodes::Outcome outcome) {
  engine::AttemptReport report{attempt.start.context.task,
                               attempt.start.epoch,
                               outcome.succeeded,
                               {},
                               std::move(outcome.failure)};
  auto fail = [&](std::string kind, std::string message) {
    report.succeeded = false;
    report.failure = {std::move(kind), std::move(message)};
    return report;
  };
  if (!outcome.succeeded) return report;
  base::Result<model::Value> output = keep_value(std::move(outcome.output), objects_);
  if (!output) return fail("internal", "its output cannot be stored: " + output.error().message);
  report.output = std::move(*output);
  if (attempt.task().iterations_max == 0) return report;
  base::Result<bool> again = evaluator_.repeats(attempt.start.context, report.output);
  if (!again) return fail("expression", "repeat_until: " + again.error().message);
  report.again = *again;
  return report;
}

void Attempts::forget(const std::shared_ptr<Attempt>& attempt) {
  base::MutexLock lock(mutex_);
  dirty_.erase(attempt);
  attempts_.erase(attempt->key());
}

}  // namespace runtime
