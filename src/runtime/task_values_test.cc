// What a task run sees: inputs, expressions, keys and lists, from values in line and by reference.
#include "runtime/task_values.h"

#include <gtest/gtest.h>

#include "runtime/new_run.h"
#include "runtime/test_machine.h"

namespace runtime {
namespace {

class NoLists : public MapLists {
 public:
  std::shared_ptr<const MapList> find(base::RunId, model::TaskIndex) override { return nullptr; }
  void keep(base::RunId, model::TaskIndex, std::shared_ptr<const MapList>) override { ++kept; }
  int kept = 0;
};

class TaskValuesTest : public testing::Test {
 protected:
  /// The task `t` with these members, after `a` and `b`.
  TaskContext& use(const std::string& members) {
    std::string spec = R"({"name":"f","parameters":[{"name":"p","type":"integer"}],"tasks":[)"
                       R"({"id":"a","type":"noop"},{"id":"b","type":"noop"},)"
                       R"({"id":"t","depends_on":["a","b"],"trigger_rule":"all_done",)" +
                       members + "}]}";
    auto plan = model::load_plan(spec, "7", nodes::catalog());
    EXPECT_TRUE(plan) << plan.error().message << (plan ? "" : plan.error().fields[0].path);
    context_.plan = *plan;
    context_.task = context_.planned = 2;
    context_.parameters = model::Value::inline_json(R"({"p":5})");
    context_.trigger_type = "manual";
    context_.outputs.clear();
    for (model::TaskIndex source : context_.planned_task().reads)
      context_.outputs.push_back(source == 0 ? a_ : b_);
    return context_;
  }
  TaskValues values() { return {context_, objects_, lists_}; }
  base::Result<std::string> inputs() { return values().inputs(); }

  base::TemporaryDirectory directory_;
  store::ObjectDirectory objects_{directory_.file("objects")};
  NoLists lists_;
  TaskContext context_;
  model::Value a_ = model::Value::inline_json(R"({"x":[1,{"y":"z"}]})");
  model::Value b_ = model::Value::inline_json("2.50");
};

TEST_F(TaskValuesTest, InputsAreSplicedInAsTheyAre) {
  use(R"("type":"noop","inputs":{"l":{"literal":{"n":1.0}},"p":{"parameter":"p"},)"
      R"("whole":{"task":"b"},"part":{"task":"a","path":"/x/1"},"all":{"tasks":["b","a"]},)"
      R"("e":{"expression":"parameters.p * 2"}})");
  EXPECT_EQ(*inputs(), R"({"all":[2.50,{"x":[1,{"y":"z"}]}],"e":10,"l":{"n":1.0},"p":5,)"
                       R"("part":{"y":"z"},"whole":2.50})");
}

TEST_F(TaskValuesTest, AValueByReferenceIsRead) {
  b_ = *keep_value('"' + std::string(base::limits::inline_value_bytes_max, 'x') + '"', objects_);
  ASSERT_TRUE(b_.is_reference());
  use(R"("type":"noop","inputs":{"b":{"task":"b"}})");
  EXPECT_EQ(inputs()->size(),
            base::limits::inline_value_bytes_max + std::string(R"({"b":""})").size());
  ASSERT_TRUE(objects_.remove(b_.object));
  EXPECT_FALSE(inputs());
}

TEST_F(TaskValuesTest, APointerIntoNothingIsAnErrorUnlessTheTaskDidNotSucceed) {
  use(R"("type":"noop","inputs":{"i":{"task":"a","path":"/none"}})");
  TaskValues missing = values();
  base::Result<std::string> got = missing.inputs();
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().message, "input 'i': the output of task 'a' has nothing at '/none'");
  EXPECT_EQ(missing.failure_kind(), "start_error");
  a_ = {};
  use(R"("type":"noop","inputs":{"i":{"task":"a","path":"/none"}})");
  EXPECT_EQ(*inputs(), R"({"i":null})");
}

TEST_F(TaskValuesTest, AnElementSeesItsItemAndIndex) {
  TaskContext& context = use(R"("type":"noop","map_over":{"literal":["u",{"v":1}]})");
  context.map_index = 1;
  EXPECT_EQ(*inputs(), R"({"item":{"v":1},"index":1})");
  EXPECT_EQ(lists_.kept, 1);
}

TEST_F(TaskValuesTest, AListIsAListAndNotTooLong) {
  use(R"("type":"noop","map_over":{"task":"b"})");
  EXPECT_EQ(values().map_list().error().message, "map_over must be a list, not a number");
  std::string list = "[0";
  for (int i = 0; i < base::limits::map_elements_max; ++i) list += ",0";
  b_ = *keep_value(list + "]", objects_);
  use(R"("type":"noop","map_over":{"task":"b"})");
  EXPECT_FALSE(values().map_list());
}

TEST_F(TaskValuesTest, AConfigsTemplatesAreFilledIn) {
  use(R"("type":"shell","config":{"command":"echo {{ tasks.b }} {{ run.flow_version }}"})");
  EXPECT_EQ(*values().config(), R"({"command":"echo 2.50 7"})");
}

TEST_F(TaskValuesTest, AnExpressionThatFailsSaysSo) {
  use(R"("type":"noop","when":"1 / (parameters.p - 5) == 1")");
  TaskValues broken = values();
  EXPECT_FALSE(broken.condition(*context_.planned_task().expressions.when));
  EXPECT_EQ(broken.failure_kind(), "expression");
  use(R"("type":"noop","when":"tasks.b > 2.0 && run.trigger_type == 'manual'")");
  EXPECT_TRUE(*values().condition(*context_.planned_task().expressions.when));
}

TEST_F(TaskValuesTest, AKeyIsTextWithinItsLength) {
  use(R"("type":"noop","cache":{"key":"tasks.a.x","ttl_seconds":60})");
  const auto& program = *context_.planned_task().expressions.cache_key;
  EXPECT_EQ(*values().key(program, 100), R"([1,{"y":"z"}])");
  EXPECT_FALSE(values().key(program, 12));
}

}  // namespace
}  // namespace runtime
