#include <chrono>
#include <thread>

#include "base/clock.h"
#include "runs.h"
#include "workloads.h"

namespace bench {

namespace {
constexpr std::chrono::seconds settling_time(5);  // until what follows work has been done
constexpr std::chrono::seconds idle_time(20);
constexpr int before = 1000;
}  // namespace

std::vector<Row> run_idle(ServerProcess& server) {
  Runs runs(server);
  runs.add_flow("idle", 3, noop, true);
  runs.at_once("idle", before, 8);
  std::this_thread::sleep_for(settling_time);
  Database& database = server.database();
  base::SystemClock clock;
  std::uint64_t transactions = database.transactions();
  base::SteadyTime start = clock.steady();
  double server_cpu = server.cpu_seconds(), database_cpu = database.cpu_seconds();
  std::this_thread::sleep_for(idle_time);
  server_cpu = server.cpu_seconds() - server_cpu;
  database_cpu = database.cpu_seconds() - database_cpu;
  auto seconds = [&] { return std::chrono::duration<double>(clock.steady() - start).count(); };
  double cpu_seconds = seconds();
  std::uint64_t ended = database.transactions() - transactions;
  Row server_row =
      row("I  CPU of the server, idle", "{:.2f} ms/s", server_cpu * 1000 / cpu_seconds);
  if (database.is_inside())
    return {server_row, absent_row("I  CPU of the database, idle"),
            absent_row("I  transactions a second, idle")};
  return {server_row,
          row("I  CPU of the database, idle", "{:.2f} ms/s", database_cpu * 1000 / cpu_seconds),
          row("I  transactions a second, idle", "{:.2f}", double(ended) / seconds())};
}

}  // namespace bench
