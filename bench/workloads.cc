#include "workloads.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "http_client.h"

namespace bench {

namespace {

constexpr std::string_view noop = R"("type":"noop")";
constexpr std::string_view process = R"("type":"shell","config":{"command":["/bin/true"]})";

/// fib(10) in Python, started in one of its ways.
std::string python(std::string_view start) {
  constexpr std::string_view code =
      R"(def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n\ndef main():\n    return fib(10)\n)";
  return fmt::format(R"("type":"python","config":{{"code":"{}","start":"{}"}})", code, start);
}

// A flow of `count` tasks, one after another or all side by side.
std::string flow(std::string_view name, int count, std::string_view task, bool chain) {
  std::string tasks;
  for (int i = 0; i < count; ++i) {
    if (i > 0) tasks += ',';
    tasks += fmt::format(R"({{"id":"t{}",{})", i, task);
    if (chain && i > 0) tasks += fmt::format(R"(,"depends_on":["t{}"])", i - 1);
    tasks += '}';
  }
  return fmt::format(R"({{"flow_spec":{{"name":"{}","max_parallel":10000,"tasks":[{}]}}}})", name,
                     tasks);
}

struct Cost {
  double seconds;
  double cpu_ms_a_run;
  double fsyncs_a_run;
};

class Bench {
 public:
  explicit Bench(ServerProcess& server) : server_(server) {}

  void add_flow(std::string_view name, int count, std::string_view task, bool chain) {
    Answer answer = Connection(server_.port())
                        .exchange(make_request("POST", "/flows", server_.token(),
                                               flow(name, count, task, chain)));
    CHECK(answer.status == 201);
  }

  std::string request(std::string_view name) {
    return make_request("POST", "/runs", server_.token(),
                        fmt::format(R"({{"flow_name":"{}","wait_seconds":60}})", name));
  }

  /// Milliseconds of each of `count` runs, one at a time.
  std::vector<double> one_at_a_time(std::string_view name, int count) {
    Connection connection(server_.port());
    std::string text = request(name);
    base::SystemClock clock;
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      base::SteadyTime start = clock.steady();
      CHECK(connection.exchange(text).status == 200);
      times.push_back(std::chrono::duration<double, std::milli>(clock.steady() - start).count());
    }
    std::sort(times.begin(), times.end());
    return times;
  }

  template <class Work>
  Cost cost(int runs, Work work) {
    double cpu = server_.cpu_seconds();
    auto fsyncs = double(server_.fsyncs());
    double seconds = work();
    return {seconds, (server_.cpu_seconds() - cpu) * 1000 / runs,
            (double(server_.fsyncs()) - fsyncs) / runs};
  }

  double at_once(std::string_view name, int count, int width) {
    return load(server_.port(), request(name), count, width, 200);
  }

 private:
  ServerProcess& server_;
};

double at(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * double(sorted.size() - 1))];
}

Row python_row(Bench& bench, std::string_view start, int runs, double goal_ms) {
  bench.one_at_a_time(start, 1);  // loads the code
  double measured = at(bench.one_at_a_time(start, runs), 0.5);
  return {fmt::format("W4p 40 sequential Python tasks, {}, p50", start),
          fmt::format("{:.1f} ms", measured), goal_ms == 0 ? "" : fmt::format("{:.0f} ms", goal_ms),
          goal_ms == 0 ? 0 : measured / goal_ms};
}

}  // namespace

std::vector<Row> run_all(ServerProcess& server) {
  Bench bench(server);
  bench.add_flow("three", 3, noop, true);
  bench.add_flow("wide", 1000, noop, false);
  bench.add_flow("chain", 40, noop, true);
  bench.add_flow("processes", 40, process, true);
  for (std::string_view start : {"fork", "worker", "spawn"})
    bench.add_flow(start, 40, python(start), true);
  std::vector<Row> rows;
  double idle_mb = server.memory_mb();

  bench.one_at_a_time("three", 200);  // warm
  std::vector<double> times;
  constexpr int sequential = 2000;
  Cost one = bench.cost(sequential, [&] {
    times = bench.one_at_a_time("three", sequential);
    return 0.0;
  });
  rows.push_back({"W1 3 no-op steps, one at a time, p50", fmt::format("{:.2f} ms", at(times, 0.5)),
                  "0.8 ms", at(times, 0.5) / 0.8});
  rows.push_back({"   p99", fmt::format("{:.2f} ms", at(times, 0.99)), "", 0});
  rows.push_back({"   CPU a run", fmt::format("{:.3f} ms", one.cpu_ms_a_run), "", 0});
  rows.push_back(
      {"   fsyncs a run", fmt::format("{:.2f}", one.fsyncs_a_run), "4", one.fsyncs_a_run / 4});

  constexpr int parallel = 60'000;
  Cost many = bench.cost(parallel, [&] { return bench.at_once("three", parallel, 64); });
  double rate = parallel / many.seconds;
  rows.push_back({"W2 the same, 64 at a time", fmt::format("{:.0f} runs/s", rate), "15000 runs/s",
                  15000 / rate});
  rows.push_back({"   CPU a run", fmt::format("{:.3f} ms", many.cpu_ms_a_run), "0.10 ms",
                  many.cpu_ms_a_run / 0.10});
  rows.push_back({"   fsyncs a run", fmt::format("{:.3f}", many.fsyncs_a_run), "0.1",
                  many.fsyncs_a_run / 0.1});
  double loaded_mb = server.memory_mb();

  double wide = at(bench.one_at_a_time("wide", 50), 0.5);
  rows.push_back(
      {"W3 1000 parallel no-op steps, p50", fmt::format("{:.1f} ms", wide), "8 ms", wide / 8});
  double chain = at(bench.one_at_a_time("chain", 100), 0.5);
  rows.push_back(
      {"W4 40 sequential no-op steps, p50", fmt::format("{:.1f} ms", chain), "6 ms", chain / 6});
  double processes = at(bench.one_at_a_time("processes", 30), 0.5);
  rows.push_back({"W4 40 sequential /bin/true, p50", fmt::format("{:.1f} ms", processes), "35 ms",
                  processes / 35});
  rows.push_back(python_row(bench, "fork", 30, 100));
  rows.push_back(python_row(bench, "worker", 30, 20));
  rows.push_back(python_row(bench, "spawn", 5, 0));
  double start_ms = server.start_seconds() * 1000;
  rows.push_back({"W5 start to first healthy answer", fmt::format("{:.0f} ms", start_ms), "50 ms",
                  start_ms / 50});
  rows.push_back(
      {"   memory idle, with spawner", fmt::format("{:.1f} MB", idle_mb), "25 MB", idle_mb / 25});
  rows.push_back(
      {"   memory after W2", fmt::format("{:.1f} MB", loaded_mb), "60 MB", loaded_mb / 60});
  return rows;
}

}  // namespace bench
