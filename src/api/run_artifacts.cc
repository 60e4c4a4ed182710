// The values of a run that are too large to stand in its answers, to be downloaded.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/routes.h"
#include "api/run_control.h"
#include "api/signed_query.h"

namespace api {

using base::field;
using base::Fields;

namespace {

constexpr std::chrono::hours download_ttl{1};

struct RunArtifact {
  std::string name;
  std::optional<std::string> task_run_id;
  std::int64_t bytes = 0;
  std::string sha256;
  std::string download_url;
  static const Fields& fields() {
    using S = RunArtifact;
    static const Fields fields(
        "RunArtifact",
        {field<&S::name>("name", "of the file").required(),
         field<&S::task_run_id>("task_run_id", "whose output it is; null: parameters").required(),
         field<&S::bytes>("bytes", "").required(), field<&S::sha256>("sha256", "").required(),
         field<&S::download_url>("download_url", "for an hour, below the address of this API")
             .required()});
    return fields;
  }
};

struct RunArtifactPage {
  std::vector<RunArtifact> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = RunArtifactPage;
    static const Fields fields("RunArtifactPage",
                               {field<&S::items>("items", "parameters, then tasks").required(),
                                field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

std::string download_path(std::string_view sha256, std::string_view name) {
  return fmt::format("/downloads/{}/{}", sha256, name);
}

RunArtifact artifact_of(const Call& call, std::string name, const model::Value& value) {
  std::replace(name.begin(), name.end(), ':', '-');  // of an element of a mapped task
  RunArtifact artifact;
  artifact.name = name + ".json";
  artifact.bytes = value.bytes;
  artifact.sha256 = value.object;
  artifact.download_url = call.services.signed_urls.sign(
      "GET", download_path(value.object, artifact.name), call.services.clock.now() + download_ttl);
  return artifact;
}

std::vector<RunArtifact> artifacts_of(const Call& call, const store::LiveRunRow& run,
                                      const std::vector<engine::TaskRecord>& tasks) {
  std::vector<RunArtifact> artifacts;
  if (run.parameters.is_reference())
    artifacts.push_back(artifact_of(call, "parameters", run.parameters));
  for (const engine::TaskRecord& task : tasks) {
    if (!task.output || !task.output->is_reference()) continue;
    std::string name = task_run_name(task);
    artifacts.push_back(artifact_of(call, "output-" + name, *task.output));
    artifacts.back().task_run_id = to_string(run.id) + ":" + name;
  }
  return artifacts;
}

base::Result<Reply> list_artifacts(const Call& call) {
  base::RunId id = TRY(run_id_of(call));
  auto query = TRY(call.read_query<PageQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  store::RunDetail detail;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    detail = TRY(store::find_run(tx, call.identity->org_id, id));
    return {};
  }));
  auto all = artifacts_of(call, detail.row.run, TRY(task_records(call, detail)));
  std::size_t first = 0;
  if (position) first = static_cast<std::size_t>(TRY(number_in_cursor(*position)));
  first = std::min(first, all.size());
  std::size_t end = std::min(all.size(), first + static_cast<std::size_t>(query.limit));
  RunArtifactPage page;
  for (std::size_t i = first; i < end; ++i) page.items.push_back(std::move(all[i]));
  if (end < all.size()) page.next_token = make_cursor(call, std::to_string(end));
  return json_reply(200, page);
}

// Its name is safe in a header: it is one of those above, else the signature is wrong.
base::Result<Reply> download(const Call& call) {
  TRY(check_signature(call, download_path(call.path[0], call.path[1])));
  Reply reply;
  reply.response.content_type = "application/octet-stream";
  reply.response.body = TRY(call.services.objects.get(call.path[0]));
  reply.response.headers = {
      {"Content-Disposition", fmt::format("attachment; filename=\"{}\"", call.path[1])},
      {"Cache-Control", "private, no-store"}};
  return reply;
}

}  // namespace

void add_artifact_routes(std::vector<Route>& routes) {
  routes.push_back(
      {.method = Method::get,
       .path = "/runs/{run_id}/artifacts",
       .access = Access::need(model::Permission::runs_read),
       .name = "listRunArtifacts",
       .summary = "Values of a run above 64 KiB, each with a URL to download it",
       .handler = list_artifacts,
       .query = PageQuery::fields,
       .answers = {{200, "A page of values", RunArtifactPage::fields}, {404, "No such run"}}});
  routes.push_back({.method = Method::get,
                    .path = "/downloads/{sha256}/{filename}",
                    .access = Access::anyone(),
                    .name = "download",
                    .summary = "Download a value; the URL is its credential",
                    .handler = download,
                    .query = SignedQuery::fields,
                    .answers = {{200, "The value, as a file", nullptr, "application/octet-stream"},
                                {403, "The signature is wrong, or its time is over"},
                                {404, "The value has been removed"}}});
}

}  // namespace api
