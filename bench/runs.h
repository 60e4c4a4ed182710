// Runs over HTTP against the server under measurement, one at a time or many, and what they cost.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server_process.h"

namespace bench {

inline constexpr std::string_view noop = R"("type":"noop")";

/// Of each run.
struct Cost {
  double server_cpu_ms;
  double database_cpu_ms;
  double syncs;
};

/// Of sorted values, the one at that part of them: 0.5 is the median.
double at(const std::vector<double>& sorted, double part);

class Runs {
 public:
  explicit Runs(ServerProcess& server) : server_(server) {}

  /// A flow of `count` tasks, one after another (`chain`) or all side by side. `task` is a piece
  /// of JSON: type and config.
  void add_flow(std::string_view name, int count, std::string_view task, bool chain);
  /// Sorted milliseconds of each of `count` runs, from request to end.
  std::vector<double> one_at_a_time(std::string_view flow, int count);
  /// Runs a second.
  double at_once(std::string_view flow, int count, int width);
  /// The id of a run of the flow that has ended.
  std::string finished(std::string_view flow);
  /// Sorted milliseconds of `count` equal GET requests.
  std::vector<double> reads(std::string_view path, int count);

  template <class Work>
  Cost cost(int runs, Work work) {
    Database& database = server_.database();
    std::uint64_t syncs = server_.fsyncs() + database.syncs();
    double server = server_.cpu_seconds(), inside = database.cpu_seconds();
    work();
    double server_ms = (server_.cpu_seconds() - server) * 1000;
    double inside_ms = (database.cpu_seconds() - inside) * 1000;
    syncs = server_.fsyncs() + database.syncs() - syncs;
    return {server_ms / runs, inside_ms / runs, double(syncs) / runs};
  }

 private:
  std::vector<double> timed(const std::string& request, int count);

  ServerProcess& server_;
};

}  // namespace bench
