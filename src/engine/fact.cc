#include "engine/fact.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "base/limits.h"

namespace engine {

using base::JsonView;
using base::JsonWriter;

namespace {

constexpr int format_version = 1;

// Each fact is an array: its tag, then its members in order.
struct Encoder {
  JsonWriter& out;

  JsonWriter& open(std::string_view tag) { return out.begin_array().string(tag); }

  void operator()(const RunStarted&) { open("run_started").end_array(); }
  void operator()(const RunPaused&) { open("run_paused").end_array(); }
  void operator()(const RunResumed&) { open("run_resumed").end_array(); }
  void operator()(const TaskDecided& f) {
    open("decided").integer(f.task).string(f.concurrency_key).string(f.cache_key).end_array();
  }
  void operator()(const TaskExpanded& f) {
    open("expanded").integer(f.task).integer(f.count).end_array();
  }
  void operator()(const TaskWaiting& f) {
    open("waiting").integer(f.task);
    time(f.until);
    out.string(base::name_of(f.then)).end_array();
  }
  void operator()(const TaskSucceeded& f) {
    open("task_succeeded").integer(f.task);
    append_value(out, f.output);
    out.end_array();
  }
  void operator()(const TaskFailed& f) {
    open("task_failed").integer(f.task).string(base::name_of(f.status));
    append_failure(out, f.failure);
    out.end_array();
  }
  void operator()(const TaskQueued& f) { open("queued").integer(f.task).end_array(); }
  void operator()(const AttemptStarted& f) {
    open("started").integer(f.task).integer(f.attempt).integer(f.epoch).end_array();
  }
  void operator()(const AttemptSucceeded& f) {
    open("succeeded").integer(f.task).integer(f.epoch);
    append_value(out, f.output);
    out.end_array();
  }
  void operator()(const IterationEnded& f) {
    open("iterated").integer(f.task).integer(f.epoch);
    append_value(out, f.output);
    out.end_array();
  }
  void operator()(const ChildStarted& f) {
    open("child").integer(f.task).integer(f.epoch).string(to_string(f.child)).end_array();
  }
  void operator()(const AttemptFailed& f) {
    open("failed").integer(f.task).integer(f.epoch).string(base::name_of(f.then));
    append_failure(out, f.failure);
    time(f.retry_at);
    out.boolean(f.stopping).end_array();
  }
  void operator()(const AttemptGone& f) {
    open("gone").integer(f.task).integer(f.epoch).end_array();
  }
  void operator()(const AttemptLost& f) {
    open("lost").integer(f.task).integer(f.epoch).end_array();
  }
  void operator()(const TasksEnded& f) {
    open("tasks_ended").string(base::name_of(f.status)).begin_array();
    for (std::size_t i = 0; i < f.tasks.size();) i = ranged(f.tasks, i);
    out.end_array().boolean(f.by_choice).end_array();
  }
  void operator()(const RunDecided& f) {
    open("run_decided").string(base::name_of(f.status));
    append_failure(out, f.failure);
    out.end_array();
  }

  void time(std::optional<base::Timestamp> at) {
    if (at) {
      out.integer(base::to_us(*at));
    } else {
      out.null();
    }
  }
  // Writes the tasks from `first` on that follow each other, as one or as [from, to]; gives the
  // place after them.
  std::size_t ranged(const std::vector<TaskIndex>& tasks, std::size_t first) {
    std::size_t last = first;
    while (last + 1 < tasks.size() && tasks[last + 1] == tasks[last] + 1) ++last;
    if (last == first) {
      out.integer(tasks[first]);
    } else {
      out.begin_array().integer(tasks[first]).integer(tasks[last]).end_array();
    }
    return last + 1;
  }
};

// Reads the members of one fact in order; `ok` turns false at the first that does not fit.
class Decoder {
 public:
  explicit Decoder(JsonView fact) : it_(fact.elements().begin()), end_(fact.elements().end()) {}

  std::optional<Fact> read() {
    std::string tag = text();
    std::optional<Fact> fact = body(tag);
    return ok_ && !(it_ != end_) ? fact : std::nullopt;
  }

 private:
  std::optional<Fact> body(std::string_view tag) {
    if (std::optional<Fact> fact = run_fact(tag)) return fact;
    if (std::optional<Fact> fact = task_fact(tag)) return fact;
    return attempt_fact(tag);
  }

  // Members of a braced list are read from left to right.
  std::optional<Fact> run_fact(std::string_view tag) {
    if (tag == "run_started") return RunStarted{};
    if (tag == "run_paused") return RunPaused{};
    if (tag == "run_resumed") return RunResumed{};
    if (tag == "run_decided") return RunDecided{named<RunStatus>(), failure()};
    return std::nullopt;
  }
  std::optional<Fact> task_fact(std::string_view tag) {
    if (tag == "decided") return TaskDecided{task(), text(), text()};
    if (tag == "expanded") return TaskExpanded{task(), static_cast<std::uint32_t>(number())};
    if (tag == "waiting") return TaskWaiting{task(), time(), named<WaitEnd>()};
    if (tag == "task_succeeded") return TaskSucceeded{task(), value()};
    if (tag == "task_failed")
      return TaskFailed{task(), named<TaskStatus>(), failure().value_or(Failure{})};
    if (tag == "queued") return TaskQueued{task()};
    // Rows of the first format version end before `by_choice`.
    if (tag == "tasks_ended")
      return TasksEnded{named<TaskStatus>(), tasks(), at_end() ? false : flag()};
    return std::nullopt;
  }
  std::optional<Fact> attempt_fact(std::string_view tag) {
    if (tag == "started") return AttemptStarted{task(), number(), number()};
    if (tag == "succeeded") return AttemptSucceeded{task(), number(), value()};
    if (tag == "iterated") return IterationEnded{task(), number(), value()};
    if (tag == "child") return ChildStarted{task(), number(), run_id()};
    if (tag == "failed")
      return AttemptFailed{task(), number(), named<TaskStatus>(), failure().value_or(Failure{}),
                           time(), flag()};
    if (tag == "gone") return AttemptGone{task(), number()};
    if (tag == "lost") return AttemptLost{task(), number()};
    return std::nullopt;
  }

  bool at_end() const { return !(it_ != end_); }
  std::optional<JsonView> next() {
    if (!(it_ != end_)) {
      ok_ = false;
      return std::nullopt;
    }
    JsonView view = *it_;
    ++it_;
    return view;
  }
  std::string text() {
    std::optional<JsonView> view = next();
    ok_ = ok_ && view && view->is_string();
    return ok_ ? view->string() : "";
  }
  int number() { return number(next()); }
  int number(std::optional<JsonView> view) {
    std::optional<std::int64_t> value = view ? view->integer() : std::nullopt;
    ok_ = ok_ && value && std::in_range<int>(*value) && *value >= 0;
    return ok_ ? static_cast<int>(*value) : 0;
  }
  TaskIndex task() { return static_cast<TaskIndex>(number()); }
  bool flag() {
    std::optional<JsonView> view = next();
    ok_ = ok_ && view && view->type() == base::JsonType::boolean;
    return ok_ && view->boolean();
  }
  std::optional<base::Timestamp> time() {
    std::optional<JsonView> view = next();
    if (!view || view->is_null()) return std::nullopt;
    std::optional<std::int64_t> us = view->integer();
    ok_ = ok_ && us;
    return base::from_us(us.value_or(0));
  }
  base::RunId run_id() {
    std::optional<base::RunId> id = base::parse_run_id(text());
    ok_ = ok_ && id;
    return id.value_or(base::RunId{});
  }
  template <class Enum>
  Enum named() {
    std::optional<Enum> value = base::enum_from_name<Enum>(text());
    ok_ = ok_ && value;
    return value.value_or(Enum{});
  }
  Value value() {
    std::optional<JsonView> view = next();
    if (!view) return {};
    base::Result<Value> value = parse_value(*view);
    ok_ = ok_ && value;
    return ok_ ? *value : Value{};
  }
  std::optional<Failure> failure() {
    std::optional<JsonView> view = next();
    if (!view || view->is_null()) return std::nullopt;
    auto kind = view->find("kind");
    auto message = view->find("message");
    ok_ = ok_ && kind && message && kind->is_string() && message->is_string();
    if (!ok_) return std::nullopt;
    return Failure{kind->string(), message->string()};
  }
  std::vector<TaskIndex> tasks() {
    std::vector<TaskIndex> list;
    std::optional<JsonView> view = next();
    ok_ = ok_ && view && view->is_array();
    if (!ok_) return list;
    for (JsonView element : view->elements()) {
      if (!element.is_array()) {
        list.push_back(static_cast<TaskIndex>(number(element)));
        continue;
      }
      auto bounds = element.elements().begin();
      ok_ = ok_ && element.size() == 2;
      if (!ok_) return list;
      int from = number(*bounds);
      int to = number(*++bounds);
      ok_ = ok_ && from <= to && to - from < base::limits::task_runs_max;
      for (int i = from; ok_ && i <= to; ++i) list.push_back(static_cast<TaskIndex>(i));
    }
    return list;
  }

  JsonView::Elements::Iterator it_;
  JsonView::Elements::Iterator end_;
  bool ok_ = true;
};

}  // namespace

void append_value(JsonWriter& out, const Value& value) {
  if (value.is_reference()) {
    out.begin_object().member("object", value.object).member("bytes", value.bytes).end_object();
  } else {
    out.begin_object().key("json").raw(value.json).end_object();
  }
}

base::Result<Value> parse_value(JsonView from) {
  if (auto json = from.find("json")) return Value::inline_json(std::string(json->raw()));
  auto object = from.find("object");
  auto bytes = from.find("bytes");
  if (!object || !object->is_string() || !bytes || !bytes->integer())
    return base::internal_error("damaged value");
  return Value::reference(object->string(), *bytes->integer());
}

void append_failure(JsonWriter& out, const std::optional<Failure>& failure) {
  if (!failure) {
    out.null();
    return;
  }
  out.begin_object().member("kind", failure->kind).member("message", failure->message).end_object();
}

void append_facts(std::string& out, base::Timestamp at, std::span<const Fact> facts) {
  JsonWriter writer(out);
  writer.begin_object().member("v", format_version).member("at", base::to_us(at));
  writer.key("f").begin_array();
  for (const Fact& fact : facts) std::visit(Encoder{writer}, fact);
  writer.end_array().end_object();
}

base::Result<FactRow> parse_facts(std::string text) {
  auto document = base::JsonDocument::parse(std::move(text));
  if (!document) return base::internal_error("damaged journal row: " + document.error().message);
  JsonView root = (*document)->root();
  auto version = root.find("v");
  if (!version || version->integer() != format_version)
    return base::internal_error("journal row of an unknown format version");
  auto at = root.find("at");
  auto facts = root.find("f");
  if (!at || !at->integer() || !facts || !facts->is_array())
    return base::internal_error("damaged journal row");
  FactRow row{base::from_us(*at->integer()), {}};
  row.facts.reserve(facts->size());
  for (JsonView element : facts->elements()) {
    std::optional<Fact> fact;
    if (element.is_array()) fact = Decoder(element).read();
    if (!fact)
      return base::internal_error(fmt::format("damaged fact {}", element.raw().substr(0, 100)));
    row.facts.push_back(std::move(*fact));
  }
  return row;
}

}  // namespace engine
