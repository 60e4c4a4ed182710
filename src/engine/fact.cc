#include "engine/fact.h"

#include <fmt/format.h>

#include "base/json_writer.h"

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
  void operator()(const TaskQueued& f) { open("queued").integer(f.task).end_array(); }
  void operator()(const AttemptStarted& f) {
    open("started").integer(f.task).integer(f.attempt).integer(f.epoch).end_array();
  }
  void operator()(const AttemptSucceeded& f) {
    open("succeeded").integer(f.task).integer(f.epoch);
    append_value(out, f.output);
    out.end_array();
  }
  void operator()(const AttemptFailed& f) {
    open("failed").integer(f.task).integer(f.epoch).string(base::name_of(f.then));
    append_failure(out, f.failure);
    if (f.retry_at) {
      out.integer(base::to_us(*f.retry_at));
    } else {
      out.null();
    }
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
    for (TaskIndex task : f.tasks) out.integer(task);
    out.end_array().end_array();
  }
  void operator()(const RunDecided& f) {
    open("run_decided").string(base::name_of(f.status));
    append_failure(out, f.failure);
    out.end_array();
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
    if (tag == "run_started") return RunStarted{};
    if (tag == "queued") return TaskQueued{task()};
    if (tag == "started") {
      TaskIndex index = task();
      int attempt = number();
      return AttemptStarted{index, attempt, number()};
    }
    if (tag == "succeeded") {
      TaskIndex index = task();
      int epoch = number();
      return AttemptSucceeded{index, epoch, value()};
    }
    if (tag == "failed") return attempt_failed();
    if (tag == "gone") {
      TaskIndex index = task();
      return AttemptGone{index, number()};
    }
    if (tag == "lost") {
      TaskIndex index = task();
      return AttemptLost{index, number()};
    }
    if (tag == "tasks_ended") {
      auto status = named<TaskStatus>();
      return TasksEnded{status, tasks()};
    }
    if (tag == "run_decided") {
      auto status = named<RunStatus>();
      return RunDecided{status, failure()};
    }
    return std::nullopt;
  }

  Fact attempt_failed() {
    AttemptFailed fact{task(), number(), named<TaskStatus>(), {}, {}, false};
    fact.failure = failure().value_or(Failure{});
    if (std::optional<JsonView> at = next(); at && !at->is_null()) {
      std::optional<std::int64_t> us = at->integer();
      ok_ = ok_ && us;
      fact.retry_at = base::from_us(us.value_or(0));
    }
    std::optional<JsonView> stopping = next();
    ok_ = ok_ && stopping && stopping->type() == base::JsonType::boolean;
    fact.stopping = ok_ && stopping->boolean();
    return fact;
  }

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
    for (JsonView element : view->elements())
      list.push_back(static_cast<TaskIndex>(number(element)));
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
