// `dagy_bench <dagy> <libfsync_counter.so> <scratch directory> [answers]`: prints the table of
// bench/README.md, or only the rows of the answers.
#include <fmt/format.h>

#include <cstdio>

#include "answers.h"

namespace {

void print(const std::vector<bench::Row>& rows) {
  for (const bench::Row& row : rows) {
    std::string ratio = row.ratio == 0 ? "" : fmt::format("{:.2f}", row.ratio);
    fmt::print("{:<46} {:>18} {:>14} {:>7}\n", row.work, row.measured, row.goal, ratio);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    fmt::print(stderr, "usage: dagy_bench DAGY FSYNC_COUNTER SCRATCH_DIRECTORY [answers]\n");
    return 2;
  }
  bench::ServerProcess server(argv[1], argv[2], std::string(argv[3]) + "/bench-data");
  fmt::print("{:<46} {:>18} {:>14} {:>7}\n", "work, SQLite", "measured", "goal", "ratio");
  if (argc == 4) print(bench::run_all(server));
  print(bench::run_answers(server));
  return 0;
}
