// `dagy_bench <dagy> <libfsync_counter.so> <scratch directory>`: prints the table of
// bench/README.md.
#include <fmt/format.h>

#include <cstdio>

#include "workloads.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: dagy_bench DAGY FSYNC_COUNTER SCRATCH_DIRECTORY\n");
    return 2;
  }
  bench::ServerProcess server(argv[1], argv[2], std::string(argv[3]) + "/bench-data");
  fmt::print("{:<46} {:>14} {:>14} {:>7}\n", "work, SQLite", "measured", "goal", "ratio");
  for (const bench::Row& row : bench::run_all(server)) {
    std::string ratio = row.ratio == 0 ? "" : fmt::format("{:.2f}", row.ratio);
    fmt::print("{:<46} {:>14} {:>14} {:>7}\n", row.work, row.measured, row.goal, ratio);
  }
  return 0;
}
