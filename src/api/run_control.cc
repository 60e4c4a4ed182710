// Run control beyond the 129: the tasks of a run, paged.
#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "api/run_view.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct TaskRunPage {
  std::vector<TaskRunView> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = TaskRunPage;
    static const Fields fields("TaskRunPage",
                               {field<&S::items>("items", "in the order of the spec").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

base::Result<Reply> list_tasks(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::size_t first = position ? std::stoull(*position) : 0;
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, call.identity->org_id, id));
    return {};
  }));
  std::vector<engine::TaskRecord> tasks = TRY(task_records(call, detail));
  std::size_t end = std::min(tasks.size(), first + static_cast<std::size_t>(query.limit));
  TaskRunPage page;
  for (std::size_t i = first; i < end; ++i)
    page.items.push_back(task_view(id, tasks[i], base::limits::inline_value_bytes_max));
  if (end < tasks.size()) page.next_token = make_cursor(call, std::to_string(end));
  return json_reply(200, page);
}

}  // namespace

Category run_control_category() {
  return {"Run control",
          "Looking into runs",
          {{.method = Method::get,
            .path = "/runs/{run_id}/tasks",
            .access = Access::need(model::Permission::runs_read),
            .name = "listTaskRuns",
            .summary = "The task runs of a run, with values up to 64 KiB",
            .handler = list_tasks,
            .query = PageQuery::fields,
            .answers = {{200, "A page of task runs", TaskRunPage::fields}, {404, "No such run"}}}}};
}

}  // namespace api
