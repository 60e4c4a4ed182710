// Whether a store full of finished runs slows what goes on.
#include <fmt/format.h>

#include <algorithm>

#include "runs.h"
#include "workloads.h"

namespace bench {

namespace {

constexpr int finished_runs = 1'000'000;
constexpr int one_by_one = 1000;
constexpr int side_by_side = 20'000;
constexpr int lists = 500;
constexpr int width = 64;
constexpr double slower_max = 1.1;
constexpr std::string_view flow = "full";

struct Speed {
  double w1_ms;
  double list_ms;
  double w2_rate;
  double w2_cpu_ms;
  double disk_sync_ms;
};

Speed measure(ServerProcess& server, Runs& runs) {
  Speed speed{};
  speed.disk_sync_ms = server.disk_sync_ms();
  runs.at_once(flow, one_by_one, width);  // warm, and more than a page of the list
  speed.w1_ms = at(runs.one_at_a_time(flow, one_by_one), 0.5);
  speed.list_ms = at(runs.reads("/runs?limit=100", lists), 0.5);
  Cost cost =
      runs.cost(side_by_side, [&] { speed.w2_rate = runs.at_once(flow, side_by_side, width); });
  speed.w2_cpu_ms = cost.server_cpu_ms + cost.database_cpu_ms;
  return speed;
}

Row compared(std::string_view work, std::string_view format, double few, double many,
             double slower) {
  std::string both = fmt::format(fmt::runtime(format), few, many);
  return {fmt::format("F  {}, few and many runs", work), both, "+10 %", slower / slower_max};
}

}  // namespace

std::vector<Row> run_full(ServerProcess& server) {
  Runs runs(server);
  runs.add_flow(flow, 3, noop, true);
  Speed few = measure(server, runs);
  runs.at_once(flow, finished_runs, width);
  Speed many = measure(server, runs);
  return {compared("W1 p50", "{:.2f}, {:.2f} ms", few.w1_ms, many.w1_ms, many.w1_ms / few.w1_ms),
          compared("W2", "{:.0f}, {:.0f} runs/s", few.w2_rate, many.w2_rate,
                   few.w2_rate / many.w2_rate),
          compared("W2, CPU a run", "{:.3f}, {:.3f} ms", few.w2_cpu_ms, many.w2_cpu_ms,
                   many.w2_cpu_ms / few.w2_cpu_ms),
          compared("list p50", "{:.2f}, {:.2f} ms", few.list_ms, many.list_ms,
                   many.list_ms / few.list_ms),
          {"D  an fdatasync of this disk, then and then",
           fmt::format("{:.2f}, {:.2f} ms", few.disk_sync_ms, many.disk_sync_ms)}};
}

}  // namespace bench
