// `dagy_bench DAGY FSYNC_COUNTER SCRATCH_DIRECTORY [WORD…]`: prints the table of README.md here.
// Words choose: databases (sqlite, postgresql) and parts (runs, reads, answers, idle, full);
// without one of a kind all of that kind are measured. PostgreSQL is the server that
// DAGY_TEST_POSTGRES names.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "workloads.h"

namespace {

using bench::Row;

struct Part {
  std::string_view word;
  std::vector<Row> (*rows)(bench::ServerProcess& server);
  bool fresh;  // wants a server that has just started
};
constexpr Part parts[] = {{"runs", bench::run_all, true},
                          {"reads", bench::run_reads, false},
                          {"answers", bench::run_answers, false},
                          {"idle", bench::run_idle, true},
                          {"full", bench::run_full, true}};
constexpr std::string_view databases[] = {"sqlite", "postgresql"};

struct Table {
  std::string database;
  std::vector<Row> rows;
};

// All databases have the same rows.
void print(const std::vector<Table>& tables) {
  if (tables.empty()) return;
  fmt::print("{:<46}", "work");
  for (const Table& table : tables)
    fmt::print(" | {:>20} {:>13} {:>5}", table.database, "goal", "ratio");
  fmt::print("\n");
  for (std::size_t i = 0; i < tables[0].rows.size(); ++i) {
    fmt::print("{:<46}", tables[0].rows[i].work);
    for (const Table& table : tables) {
      const Row& row = table.rows[i];
      std::string ratio = row.ratio == 0 ? "" : fmt::format("{:.2f}", row.ratio);
      fmt::print(" | {:>20} {:>13} {:>5}", row.measured, row.goal, ratio);
    }
    fmt::print("\n");
  }
}

class Bench {
 public:
  Bench(char** argv, std::span<char*> words)
      : program_(argv[1]),
        preload_(argv[2]),
        scratch_(argv[3]),
        words_(words.begin(), words.end()) {}

  // Whether a word is asked for, or none of its kind.
  template <class Kind>
  bool wants(std::string_view word, const Kind& all) const {
    auto named = [&](std::string_view each) {
      return std::find(words_.begin(), words_.end(), each) != words_.end();
    };
    return named(word) || std::none_of(std::begin(all), std::end(all), named);
  }
  bool knows_all_words() const {
    auto known = [](std::string_view word) {
      return std::any_of(std::begin(parts), std::end(parts),
                         [&](const Part& part) { return part.word == word; }) ||
             std::find(std::begin(databases), std::end(databases), word) != std::end(databases);
    };
    return std::all_of(words_.begin(), words_.end(), known);
  }

  Table measure(std::string_view word, const char* postgres_url) {
    Table table;
    std::string directory = scratch_ + "/bench-data";
    std::unique_ptr<bench::Database> database;
    std::unique_ptr<bench::ServerProcess> server;
    std::vector<std::string_view> part_words;
    for (const Part& part : parts) part_words.push_back(part.word);
    for (const Part& part : parts) {
      if (!wants(part.word, part_words)) continue;
      if (!server || part.fresh) {
        server.reset();
        database = word == "sqlite" ? bench::sqlite_database(directory)
                                    : bench::postgres_database(postgres_url);
        server = std::make_unique<bench::ServerProcess>(program_, preload_, directory, *database);
        table.database = database->name();
      }
      fmt::print(stderr, "measuring: {}, {}\n", word, part.word);
      for (Row& row : part.rows(*server)) table.rows.push_back(std::move(row));
    }
    return table;
  }

 private:
  std::string program_, preload_, scratch_;
  std::vector<std::string_view> words_;
};

}  // namespace

int main(int argc, char** argv) {
  std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  if (argc < 4 || !Bench(argv, arguments.subspan(4)).knows_all_words()) {
    fmt::print(stderr,
               "usage: dagy_bench DAGY FSYNC_COUNTER SCRATCH_DIRECTORY [sqlite|postgresql] "
               "[runs|reads|answers|idle|full]…\n");
    return 2;
  }
  Bench bench(argv, arguments.subspan(4));
  const char* postgres_url = std::getenv("DAGY_TEST_POSTGRES");
  std::vector<Table> tables;
  for (std::string_view word : databases) {
    if (!bench.wants(word, databases)) continue;
    if (word == "postgresql" && postgres_url == nullptr) {
      fmt::print(stderr, "PostgreSQL is left out: DAGY_TEST_POSTGRES names no server\n");
      continue;
    }
    tables.push_back(bench.measure(word, postgres_url));
  }
  print(tables);
  return 0;
}
