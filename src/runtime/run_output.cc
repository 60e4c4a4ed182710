#include "runtime/run_output.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "base/limits.h"
#include "runtime/new_run.h"

namespace runtime {

base::Result<std::string> run_output(const model::Plan& plan,
                                     const std::vector<engine::TaskRecord>& tasks,
                                     const store::Objects& objects) {
  const model::Value none;
  auto output_of = [&](model::TaskIndex i) {
    return text_of(tasks[i].output ? *tasks[i].output : none, objects);
  };
  if (plan.output_is_single) return output_of(plan.outputs[0]);
  std::string text;
  base::JsonWriter out(text);
  out.begin_object();
  for (model::TaskIndex i : plan.outputs) {
    out.key(plan.tasks[i].id).raw(TRY(output_of(i)));
    if (text.size() > base::limits::value_bytes_max)
      return base::Error{
          base::ErrorCode::too_large,
          fmt::format("the output of the run is above {} bytes", base::limits::value_bytes_max)};
  }
  out.end_object();
  return text;
}

}  // namespace runtime
