// What the inputs and expressions of one task run see, read and evaluated as it is asked for.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/cel/program.h"
#include "runtime/executor.h"
#include "store/objects.h"

namespace runtime {

/// A key as text: a string as it is, other values as JSON.
base::Result<std::string> key_text(const model::cel::Value& value, model::cel::Budget& budget,
                                   std::size_t bytes_max);

/// The list that a mapped task goes over.
struct MapList {
  std::shared_ptr<const base::JsonDocument> document;
  std::vector<base::JsonView> elements;
};

/// Keeps the lists of mapped tasks, so that each element does not read the whole list again.
class MapLists {
 public:
  virtual ~MapLists() = default;
  virtual std::shared_ptr<const MapList> find(base::RunId run, model::TaskIndex planned) = 0;
  virtual void keep(base::RunId run, model::TaskIndex planned,
                    std::shared_ptr<const MapList> list) = 0;
};

/// Not thread-safe. Errors of a function leave the reason in `failure_kind()`: "expression" when an
/// expression failed, else "start_error".
class TaskValues {
 public:
  TaskValues(const TaskContext& context, const store::Objects& objects, MapLists& lists);

  /// The inputs as the text of one JSON object, every value spliced in as it is.
  base::Result<std::string> inputs();
  base::Result<std::string> parameters();
  /// The config with its templates filled in.
  base::Result<std::string> config();
  base::Result<model::cel::Value> evaluate(const model::cel::Program& program);
  base::Result<bool> condition(const model::cel::Program& program);
  base::Result<std::string> key(const model::cel::Program& program, std::size_t bytes_max);
  /// Of a mapped task: the list itself. Error for anything that is no list, or too long a one.
  base::Result<std::shared_ptr<const MapList>> map_list();

  std::string_view failure_kind() const { return in_expression_ ? "expression" : "start_error"; }

 private:
  using Document = std::shared_ptr<const base::JsonDocument>;

  base::Result<Document> document_of(const model::Value& value);
  base::Result<Document> parameters_document();
  base::Result<Document> output_of(model::TaskIndex task);
  base::Result<std::string> resolve(const model::PlannedInput& input);
  base::Result<std::string> resolve_pointer(const model::PlannedInput& input);
  base::Result<> bind(const model::cel::Reads& reads);
  base::Result<> bind_tasks();

  const TaskContext& context_;
  const store::Objects& objects_;
  MapLists& lists_;
  Document parameters_;
  std::map<model::TaskIndex, Document> outputs_;
  std::optional<std::string> inputs_;
  model::cel::Bindings bindings_;
  std::set<std::string> bound_;
  model::cel::Budget budget_;
  bool in_expression_ = false;
};

}  // namespace runtime
