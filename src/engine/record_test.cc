#include "engine/record.h"

#include "base/limits.h"
#include "engine/test_run.h"

namespace engine {
namespace {

std::vector<TaskRecord> read_back(const std::vector<std::string>& chunks) {
  std::vector<TaskRecord> records;
  for (const std::string& chunk : chunks) {
    base::Result<> result = decode_tasks(chunk, records);
    EXPECT_TRUE(result) << result.error().message;
  }
  return records;
}

std::vector<TaskRecord> records_of(const RunState& state) {
  std::vector<TaskRecord> records;
  for (TaskIndex i = 0; i < state.tasks.size(); ++i) records.push_back(record_of(state, i));
  return records;
}

std::string wide(int tasks) {
  std::string plan;
  for (int i = 0; i < tasks; ++i) plan += fmt::format("{}t{}", i ? ";" : "", i);
  return plan;
}

TEST(Record, TasksOfEveryKindReadBack) {
  TestRun run(R"(a {"name":"first","retries":1}; b {"timeout_seconds":5}; c < b; d < a; e*)",
              "\"fail_fast\":false");
  run.begin();
  run.fail("a", "exception:X");
  run.pass(1);
  run.succeed("a", 0, "{\"n\": 1.10}");
  run.pass(5);
  auto records = read_back(encode_tasks(run.state));
  EXPECT_EQ(records, records_of(run.state));
  EXPECT_EQ(records[0].name, "first");
  EXPECT_EQ(records[0].output->json, "{\"n\": 1.10}");
  EXPECT_EQ(records[0].earlier.size(), 1u);
  EXPECT_EQ(records[1].status, TaskStatus::timed_out);
  EXPECT_EQ(records[1].output, std::nullopt);
  EXPECT_EQ(records[2].status, TaskStatus::skipped);
  EXPECT_EQ(records[4].status, TaskStatus::queued);
}

TEST(Record, ReferencesReadBack) {
  TestRun run("a");
  run.begin();
  run.apply(AttemptReport{0, 1, true, Value::reference(std::string(64, 'b'), 1 << 20), {}});
  EXPECT_EQ(read_back(encode_tasks(run.state)), records_of(run.state));
}

TEST(Record, ChunksHoldAThousandTasks) {
  for (auto [tasks, chunks] : {std::pair{1, 1}, {999, 1}, {1000, 1}, {1001, 2}, {3000, 3}}) {
    RunState state(base::RunId(1), test_plan(wide(tasks)));
    auto encoded = encode_tasks(state);
    EXPECT_EQ(encoded.size(), std::size_t(chunks)) << tasks;
    EXPECT_EQ(read_back(encoded), records_of(state));
  }
}

TEST(Record, ChunksHoldAMebibyte) {
  TestRun run(wide(64));
  run.begin();
  std::string large = "\"" + std::string(60'000, 'x') + "\"";
  for (int i = 0; i < 64; ++i) run.succeed(fmt::format("t{}", i), 0, large);
  auto encoded = encode_tasks(run.state);
  EXPECT_EQ(encoded.size(), 4u);
  for (const std::string& chunk : encoded)
    EXPECT_LE(chunk.size(), base::limits::task_chunk_bytes_max + 2);
  EXPECT_EQ(read_back(encoded), records_of(run.state));
}

TEST(Record, ALargerRecordStandsAlone) {
  TestRun run("a; b; c");
  run.begin();
  run.succeed("a");
  run.succeed("b", 0, "\"" + std::string(base::limits::task_chunk_bytes_max, 'x') + "\"");
  run.succeed("c");
  auto encoded = encode_tasks(run.state);
  EXPECT_EQ(encoded.size(), 3u);
  EXPECT_EQ(read_back(encoded), records_of(run.state));
}

TEST(Record, RefusesDamagedChunks) {
  for (const char* chunk :
       {"", "{}", "[1]", "[{}]", R"([{"id":"a"}])", R"([{"id":"a","status":"X"}])",
        R"([{"id":1,"status":"FAILED"}])", R"([{"id":"a","status":"SUCCEEDED","output":1}])"}) {
    std::vector<TaskRecord> records;
    EXPECT_FALSE(decode_tasks(chunk, records)) << chunk;
  }
}

}  // namespace
}  // namespace engine
