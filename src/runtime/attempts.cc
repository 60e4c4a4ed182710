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
  return fmt::format("TRACEPARENT=00-{}-{}-01", base::sha256_hex(to_string(run)).substr(0, 32),
                     base::sha256_hex(attempt).substr(0, 16));
}

}  // namespace

struct Attempts::Attempt {
  Attempt(AttemptStart attempt_start, std::shared_ptr<std::size_t> log_bytes)
      : start(std::move(attempt_start)), log(std::move(log_bytes)) {}

  AttemptStart start;
  const nodes::NodeType* type = nullptr;

  base::Mutex mutex;
  LogBuffer log GUARDED_BY(mutex);
  std::optional<std::string> last_line GUARDED_BY(mutex) = "";  // of standard output, unless cut
  std::optional<exec::ProcessId> process GUARDED_BY(mutex);
  bool stop_requested GUARDED_BY(mutex) = false;
};

Attempts::Attempts(std::unique_ptr<exec::ProcessHost> host, store::ObjectDirectory& objects,
                   base::Clock& clock, std::string work_root)
    : host_(std::move(host)),
      objects_(objects),
      clock_(clock),
      work_root_(std::move(work_root)),
      flusher_([this] { flush_loop(); }),
      pool_(pool_threads) {
  std::error_code ignored;
  std::filesystem::create_directories(work_root_, ignored);
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
  for (const auto& entry : std::filesystem::directory_iterator(work_root_, ignored))
    if (!kept.contains(entry.path().filename())) std::filesystem::remove_all(entry, ignored);
}

std::string Attempts::work_directory(base::RunId run) const {
  return work_root_ + "/" + to_string(run);
}

void Attempts::start(AttemptStart start) {
  const nodes::NodeType* type = nodes::find(start.plan->tasks[start.task].type->type);
  if (type->prepare == nullptr)
    return loop_->report({start.run, {start.task, start.epoch, true, {}, {}}, {}});
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    auto& log_bytes = log_bytes_[start.run][start.task];
    if (!log_bytes) log_bytes = std::make_shared<std::size_t>(0);
    attempt = std::make_shared<Attempt>(std::move(start), log_bytes);
    attempt->type = type;
    attempts_[{attempt->start.run, attempt->start.task, attempt->start.epoch}] = attempt;
  }
  pool_.submit([this, attempt] { launch(attempt); });
}

void Attempts::stop(base::RunId run, model::TaskIndex task, int epoch) {
  std::shared_ptr<Attempt> attempt;
  {
    base::MutexLock lock(mutex_);
    auto found = attempts_.find({run, task, epoch});
    if (found == attempts_.end()) return;
    attempt = found->second;
  }
  base::MutexLock lock(attempt->mutex);
  attempt->stop_requested = true;
  if (attempt->process) host_->stop(*attempt->process);
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
  base::Result<nodes::Prepared> prepared = prepare(*attempt);
  if (!prepared) return end(attempt, exec::ProcessEnd{.start_error = prepared.error()});
  base::MutexLock lock(attempt->mutex);
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

base::Result<nodes::Prepared> Attempts::prepare(Attempt& attempt) {
  const AttemptStart& start = attempt.start;
  const model::PlannedTask& task = start.plan->tasks[start.task];
  std::string run_id = to_string(start.run);
  nodes::NodeContext context;
  context.config = task.config;
  context.inputs = TRY(resolve_inputs(start));
  context.parameters = TRY(text_of(start.parameters));
  context.working_directory = work_directory(start.run);
  std::string idempotency_key = run_id + ":" + task.id;
  context.environment = {
      "DAGY_RUN_ID=" + run_id, "DAGY_TASK_ID=" + task.id,
      fmt::format("DAGY_ATTEMPT={}", start.attempt), "DAGY_IDEMPOTENCY_KEY=" + idempotency_key,
      traceparent(start.run, fmt::format("{}:{}", idempotency_key, start.epoch))};
  std::error_code error;
  std::filesystem::create_directories(context.working_directory, error);
  if (error) return base::unavailable("cannot create " + context.working_directory);
  nodes::Prepared prepared = TRY(attempt.type->prepare(context));
  prepared.process.organization = start.org_id;
  prepared.process.run_directory = context.working_directory;
  return prepared;
}

base::Result<std::string> Attempts::text_of(const model::Value& value) {
  if (!value.is_reference()) return value.json;
  return objects_.get(value.object);
}

// The inputs of an attempt as one JSON object, every value spliced in as text.
base::Result<std::string> Attempts::resolve_inputs(const AttemptStart& start) {
  using Kind = model::PlannedInput::Kind;
  std::string parameters_text = TRY(text_of(start.parameters));
  auto parameters = TRY(base::JsonDocument::parse(std::move(parameters_text)));
  std::string inputs;
  base::JsonWriter out(inputs);
  out.begin_object();
  auto source = start.sources.begin();
  for (const model::PlannedInput& input : start.plan->tasks[start.task].inputs) {
    out.key(input.name);
    if (input.kind == Kind::literal) {
      out.raw(input.text);
    } else if (input.kind == Kind::parameter) {
      auto value = parameters->root().find(input.text);
      out.raw(value ? value->raw() : "null");
    } else if (input.kind == Kind::task) {
      std::string text = TRY(text_of(*source++));
      auto document = TRY(base::JsonDocument::parse(std::move(text)));
      auto value = document->root().at_pointer(input.text);
      if (!value)
        return base::invalid(fmt::format("input '{}': the output of task '{}' has nothing at '{}'",
                                         input.name, start.plan->tasks[input.sources[0]].id,
                                         input.text));
      out.raw(value->raw());
    } else {
      out.begin_array();
      for (std::size_t i = 0; i < input.sources.size(); ++i) out.raw(TRY(text_of(*source++)));
      out.end_array();
    }
  }
  out.end_object();
  if (inputs.size() > limits::value_bytes_max)
    return base::invalid(
        fmt::format("the inputs are larger than {} bytes", limits::value_bytes_max));
  return inputs;
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
      if (attempt->log.is_chunk())
        loop_->log(
            {attempt->start.run, attempt->start.task, attempt->start.epoch, attempt->log.take()});
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
      if (!attempt->log.empty())
        loop_->log(
            {attempt->start.run, attempt->start.task, attempt->start.epoch, attempt->log.take()});
    }
  }
}

// ---- the end ----

void Attempts::end(const std::shared_ptr<Attempt>& attempt, exec::ProcessEnd ended) {
  std::optional<std::string> last_line;
  {
    base::MutexLock lock(attempt->mutex);
    attempt->process.reset();
    last_line = attempt->last_line;
  }
  report(*attempt, nodes::conclude(*attempt->type, ended, last_line));
  base::MutexLock lock(mutex_);
  dirty_.erase(attempt);
  attempts_.erase({attempt->start.run, attempt->start.task, attempt->start.epoch});
}

void Attempts::report(Attempt& attempt, nodes::Outcome outcome) {
  AttemptEnded ended;
  ended.run = attempt.start.run;
  ended.report = {
      attempt.start.task, attempt.start.epoch, outcome.succeeded, {}, std::move(outcome.failure)};
  if (outcome.succeeded && outcome.output.size() > limits::inline_value_bytes_max) {
    base::Result<std::string> stored = objects_.put(outcome.output);
    if (stored) {
      ended.report.output = model::Value::reference(*stored, std::ssize(outcome.output));
    } else {
      ended.report.succeeded = false;
      ended.report.failure = {"internal", "its output cannot be stored: " + stored.error().message};
    }
  } else if (outcome.succeeded) {
    ended.report.output = model::Value::inline_json(std::move(outcome.output));
  }
  auto& message = ended.report.failure.message;
  message = std::string(base::utf8_prefix(message, limits::error_bytes_max));
  base::MutexLock lock(attempt.mutex);
  if (!attempt.log.empty()) ended.last_chunks.push_back(attempt.log.take());
  loop_->report(std::move(ended));
}

}  // namespace runtime
