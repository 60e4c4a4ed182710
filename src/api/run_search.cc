// Looking across runs: full-text search and a histogram.
#include <fmt/format.h>

#include <algorithm>

#include "api/cursor.h"
#include "api/paging.h"
#include "api/run_control.h"
#include "base/limits.h"
#include "store/run_reports.h"

namespace api {

using base::field;
using base::Fields;
namespace limits = base::limits;

namespace {

// ---- search ----

struct SearchQuery {
  std::string q;
  std::optional<std::string> flow_name;
  std::optional<model::RunStatus> status;
  std::optional<base::Timestamp> since;
  int limit = int(limits::page_items_default);
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = SearchQuery;
    static const Fields fields(
        "RunSearchQuery",
        {field<&S::q>(
             "q",
             "found in id, slug, flow, version, trigger, creator, parameters or error of a "
             "run, whatever the case of its letters")
             .required()
             .length(1, 256),
         field<&S::flow_name>("flow_name", "runs of this flow only"),
         field<&S::status>("status", "runs of this status only"),
         field<&S::since>("since", "runs created at or after this time"), limit_field<&S::limit>(),
         next_token_field<&S::next_token>()});
    return fields;
  }
};

struct SearchPage {
  std::vector<RunSummary> items;
  std::optional<std::string> next_token;
  static const Fields& fields() {
    using S = SearchPage;
    static const Fields fields(
        "RunSearchPage",
        {field<&S::items>("items", "newest first; a page may be short, or empty, before the end")
             .required(),
         field<&S::next_token>("next_token", "null at the end").required()});
    return fields;
  }
};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
}

bool contains(std::string_view text, std::string_view lower_part) {
  return std::search(text.begin(), text.end(), lower_part.begin(), lower_part.end(),
                     [](char a, char b) { return lower(a) == b; }) != text.end();
}

bool matches(const store::RunRow& row, std::string_view part) {
  const store::LiveRunRow& run = row.run;
  if (contains(to_string(run.id), part) || contains(base::run_slug(run.id), part) ||
      contains(run.flow_name, part) || contains(run.flow_version, part) ||
      contains(run.trigger_type, part) || contains(run.created_by, part) ||
      contains(run.parameters.json, part))
    return true;
  return row.failure && (contains(row.failure->kind, part) || contains(row.failure->message, part));
}

// Goes through the runs, newest first, until the page is full or search_rows_max have been read.
base::Result<Reply> search_runs(const Call& call) {
  auto query = TRY(call.read_query<SearchQuery>());
  std::optional<std::string> position = TRY(read_cursor(call, query.next_token));
  std::optional<base::RunId> before;
  if (position) before = base::parse_run_id(*position);
  std::string part = query.q;
  std::transform(part.begin(), part.end(), part.begin(), lower);
  auto limit = static_cast<std::size_t>(query.limit);
  SearchPage page;
  std::size_t read = 0;
  bool at_end = false;
  while (!at_end && page.items.size() < limit && read < limits::search_rows_max) {
    std::vector<store::RunRow> rows;
    TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
      rows = TRY(store::list_runs(tx, call.identity->org_id,
                                  {query.flow_name, query.status, query.since}, before,
                                  limits::page_items_max));
      return {};
    }));
    at_end = rows.size() < limits::page_items_max;
    read += rows.size();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      before = rows[i].run.id;
      if (!matches(rows[i], part)) continue;
      page.items.push_back(summary_of(rows[i]));
      if (page.items.size() < limit) continue;
      at_end = at_end && i + 1 == rows.size();
      break;
    }
  }
  if (!at_end && before) page.next_token = make_cursor(call, to_string(*before));
  return json_reply(200, page);
}

// ---- histogram ----

enum class BucketWidth { minute, hour, day };

std::span<const base::EnumName> enum_names(BucketWidth) {
  static constexpr auto names = std::to_array<base::EnumName>({{int(BucketWidth::minute), "minute"},
                                                               {int(BucketWidth::hour), "hour"},
                                                               {int(BucketWidth::day), "day"}});
  return names;
}

base::Duration duration_of(BucketWidth width) {
  using namespace std::chrono;
  if (width == BucketWidth::minute) return minutes(1);
  return width == BucketWidth::hour ? base::Duration(hours(1)) : base::Duration(days(1));
}

struct StatsQuery {
  std::optional<std::string> flow_name;
  std::optional<base::Timestamp> since;
  std::optional<base::Timestamp> until;
  BucketWidth bucket = BucketWidth::hour;
  static const Fields& fields() {
    using S = StatsQuery;
    static const Fields fields(
        "RunStatsQuery",
        {field<&S::flow_name>("flow_name", "runs of this flow only"),
         field<&S::since>("since",
                          "from here, cut to a whole bucket; 24 buckets before until if "
                          "absent"),
         field<&S::until>("until", "to here; now if absent"),
         field<&S::bucket>("bucket", "width").defaults_to("\"hour\"")});
    return fields;
  }
};

struct BucketView {
  base::Timestamp start;
  std::map<std::string, std::int64_t> runs;
  std::optional<double> mean_seconds;
  static const Fields& fields() {
    using S = BucketView;
    static const Fields fields(
        "RunStatsBucket",
        {field<&S::start>("start", "").required(),
         field<&S::runs>("runs", "runs created in it, by status").required(),
         field<&S::mean_seconds>("mean_seconds", "from creation to end, of those that have ended")
             .required()});
    return fields;
  }
};

struct StatsView {
  base::Timestamp since;
  base::Timestamp until;
  std::vector<BucketView> buckets;
  static const Fields& fields() {
    using S = StatsView;
    static const Fields fields(
        "RunStats",
        {field<&S::since>("since", "").required(), field<&S::until>("until", "").required(),
         field<&S::buckets>("buckets", "those with runs, oldest first").required()});
    return fields;
  }
};

base::Result<Reply> run_stats(const Call& call) {
  auto query = TRY(call.read_query<StatsQuery>());
  base::Duration width = duration_of(query.bucket);
  StatsView view;
  view.until = query.until.value_or(call.services.clock.now() + std::chrono::seconds(1));
  view.since = query.since.value_or(view.until - 24 * width);
  view.since -= view.since.time_since_epoch() % width;
  if (view.until <= view.since)
    return base::Error{base::ErrorCode::malformed, "until: must be after since"};
  if ((view.until - view.since) / width > std::int64_t(limits::stats_buckets_max))
    return base::Error{base::ErrorCode::malformed,
                       fmt::format("at most {} buckets: a wider bucket or a shorter time",
                                   limits::stats_buckets_max)};
  std::vector<store::RunBucket> buckets;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    buckets = TRY(store::count_runs(tx, call.identity->org_id, query.flow_name, view.since,
                                    view.until, width));
    return {};
  }));
  for (const store::RunBucket& bucket : buckets) {
    BucketView& each = view.buckets.emplace_back();
    each.start = bucket.begin;
    each.runs = bucket.by_status;
    if (bucket.finished > 0)
      each.mean_seconds = std::chrono::duration<double>(bucket.total_time).count() /
                          static_cast<double>(bucket.finished);
  }
  return json_reply(200, view);
}

}  // namespace

void add_search_routes(std::vector<Route>& routes) {
  using model::Permission;
  routes.push_back({.method = Method::get,
                    .path = "/runs/search",
                    .access = Access::need(Permission::runs_read),
                    .name = "searchRuns",
                    .summary = "Find runs by a text",
                    .handler = search_runs,
                    .query = SearchQuery::fields,
                    .answers = {{200, "A page of runs", SearchPage::fields}}});
  routes.push_back({.method = Method::get,
                    .path = "/runs/stats",
                    .access = Access::need(Permission::runs_read),
                    .name = "getRunStats",
                    .summary = "How many runs, by time and status",
                    .handler = run_stats,
                    .query = StatsQuery::fields,
                    .answers = {{200, "The histogram", StatsView::fields}}});
}

}  // namespace api
