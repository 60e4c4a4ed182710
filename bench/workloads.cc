#include "workloads.h"

#include <fmt/format.h>

#include "runs.h"

namespace bench {

namespace {

constexpr int one_by_one = 2000;
constexpr int side_by_side = 60'000;
constexpr int functions_side_by_side = 5000;
constexpr int width = 64;
constexpr std::string_view process = R"("type":"shell","config":{"command":["/bin/true"]})";

/// fib(10) in Python, started in one of its ways.
std::string python(std::string_view start) {
  constexpr std::string_view code =
      R"(def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\ndef main():\n    return fib(10)\n)";
  return fmt::format(R"("type":"python","config":{{"code":"{}","start":"{}"}})", code, start);
}

class Workloads {
 public:
  explicit Workloads(ServerProcess& server)
      : server_(server), runs_(server), goals_(server.database().goals()) {
    runs_.add_flow("three", 3, noop, true);
    runs_.add_flow("wide", 1000, noop, false);
    runs_.add_flow("chain", 40, noop, true);
    runs_.add_flow("three_functions", 3, python("worker"), true);
    runs_.add_flow("wide_functions", 1000, python("worker"), false);
    runs_.add_flow("processes", 40, process, true);
    for (std::string_view start : {"fork", "worker", "spawn"})
      runs_.add_flow(start, 40, python(start), true);
  }

  std::vector<Row> measure() {
    double idle_mb = server_.memory_mb();
    rows_.push_back(row("D  an fdatasync of this disk, p50", "{:.2f} ms", server_.disk_sync_ms()));
    measure_one_by_one();
    measure_side_by_side();
    double loaded_mb = server_.memory_mb();
    measure_shapes();
    double start_ms = server_.start_seconds() * 1000;
    rows_.push_back(row("W5 start to first healthy answer", "{:.0f} ms", start_ms, 50));
    rows_.push_back(row("   memory idle, with spawner", "{:.1f} MB", idle_mb, 25));
    rows_.push_back(row("   memory after W2", "{:.1f} MB", loaded_mb, 60));
    rows_.push_back(row("D  an fdatasync at the end, p50", "{:.2f} ms", server_.disk_sync_ms()));
    return rows_;
  }

 private:
  void measure_one_by_one() {
    runs_.one_at_a_time("three", 200);  // warm
    std::vector<double> times;
    Cost cost = runs_.cost(one_by_one, [&] { times = runs_.one_at_a_time("three", one_by_one); });
    rows_.push_back(
        row("W1 3 no-op steps, one at a time, p50", "{:.2f} ms", at(times, 0.5), goals_.w1_ms));
    rows_.push_back(row("   p99", "{:.2f} ms", at(times, 0.99)));
    add_cost(cost, 0, goals_.w1_syncs);
  }

  void measure_side_by_side() {
    double rate = 0;
    Cost cost =
        runs_.cost(side_by_side, [&] { rate = runs_.at_once("three", side_by_side, width); });
    rows_.push_back(rate_row("W2 the same, 64 at a time", "{:.0f} runs/s", rate, goals_.w2_rate));
    add_cost(cost, goals_.w2_cpu_ms, goals_.w2_syncs);
  }

  void add_cost(const Cost& cost, double cpu_goal_ms, double syncs_goal) {
    double together = cost.server_cpu_ms + cost.database_cpu_ms;
    rows_.push_back(row("   CPU a run, database included", "{:.3f} ms", together, cpu_goal_ms));
    bool apart = !server_.database().is_inside();
    rows_.push_back(row("   of it the server's", "{:.3f} ms", cost.server_cpu_ms));
    rows_.push_back(apart ? row("   of it the database's", "{:.3f} ms", cost.database_cpu_ms)
                          : absent_row("   of it the database's"));
    rows_.push_back(row("   fsyncs a run", "{:.3f}", cost.syncs, syncs_goal));
  }

  double median(std::string_view flow, int runs) {
    return at(runs_.one_at_a_time(flow, runs), 0.5);
  }

  void measure_shapes() {
    rows_.push_back(
        row("W3 1000 parallel no-op steps, p50", "{:.1f} ms", median("wide", 50), goals_.w3_ms));
    rows_.push_back(
        row("W4 40 sequential no-op steps, p50", "{:.1f} ms", median("chain", 100), goals_.w4_ms));
    rows_.push_back(row("W4 40 sequential /bin/true, p50", "{:.1f} ms", median("processes", 30),
                        goals_.w4_processes_ms));
    measure_functions();
    measure_python("fork", 30, 100);
    measure_python("worker", 30, 20);
    measure_python("spawn", 5, 0);
  }

  // The same work with a Python function a task, as the peers run a function a step; the goal is
  // three times that of no-op tasks.
  void measure_functions() {
    runs_.one_at_a_time("three_functions", 20);  // loads the code
    rows_.push_back(row("W1 3 Python functions, one at a time, p50", "{:.2f} ms",
                        median("three_functions", 500), 3 * goals_.w1_ms));
    double rate = 0;
    Cost cost = runs_.cost(functions_side_by_side, [&] {
      rate = runs_.at_once("three_functions", functions_side_by_side, width);
    });
    rows_.push_back(
        rate_row("W2 the same, 64 at a time", "{:.0f} runs/s", rate, goals_.w2_rate / 3));
    rows_.push_back(row("   CPU a run, Python and database included", "{:.2f} ms",
                        cost.server_cpu_ms + cost.database_cpu_ms));
    rows_.push_back(row("W3 1000 parallel Python functions, p50", "{:.0f} ms",
                        median("wide_functions", 10), 3 * goals_.w3_ms));
  }

  void measure_python(std::string_view start, int runs, double goal_ms) {
    runs_.one_at_a_time(start, 1);  // loads the code
    rows_.push_back(row(fmt::format("W4p 40 sequential Python tasks, {}, p50", start), "{:.1f} ms",
                        median(start, runs), goal_ms));
  }

  ServerProcess& server_;
  Runs runs_;
  Goals goals_;
  std::vector<Row> rows_;
};

}  // namespace

Row row(std::string work, std::string_view format, double measured, double goal) {
  auto text = [&](double number) { return fmt::format(fmt::runtime(format), number); };
  if (goal == 0) return {std::move(work), text(measured)};
  return {std::move(work), text(measured), text(goal), measured / goal};
}

Row rate_row(std::string work, std::string_view format, double measured, double goal) {
  Row made = row(std::move(work), format, measured, goal);
  if (goal != 0) made.ratio = goal / measured;
  return made;
}

Row absent_row(std::string work) {
  return {std::move(work), "-"};
}

std::vector<Row> run_all(ServerProcess& server) {
  return Workloads(server).measure();
}

}  // namespace bench
