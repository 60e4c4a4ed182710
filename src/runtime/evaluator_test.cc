// Decisions, lists and sub-flows, on a real store.
#include "runtime/evaluator.h"

#include <gtest/gtest.h>

#include "runtime/test_machine.h"

namespace runtime {
namespace {

class EvaluatorTest : public testing::Test {
 protected:
  /// The task `t` of a flow with these members; the parameter `p` is 5.
  void use(const std::string& members) {
    std::string spec = R"({"name":"f","parameters":[{"name":"p","type":"integer"}],)"
                       R"("tasks":[{"id":"t",)" +
                       members + "}]}";
    auto plan = model::load_plan(spec, "1", nodes::catalog());
    ASSERT_TRUE(plan) << plan.error().message << (plan ? "" : plan.error().fields[0].path);
    start_.context.plan = *plan;
    start_.context.org_id = "org";
    start_.context.parameters = model::Value::inline_json(R"({"p":5})");
  }
  engine::Decided decide() {
    TaskComputed computed =
        evaluator_.compute({start_.context, engine::Compute::What::decision, {}});
    approval_ = computed.approval;
    return std::get<engine::Decided>(computed.computed.result);
  }
  engine::Gathered gather(std::vector<model::Value> elements) {
    return std::get<engine::Gathered>(
        evaluator_.compute({start_.context, engine::Compute::What::gathering, std::move(elements)})
            .computed.result);
  }

  base::TemporaryDirectory directory_;
  Machine machine_{directory_};
  Evaluator& evaluator_ = machine_.evaluator;
  AttemptStart start_;
  std::optional<store::ApprovalRow> approval_;
};

TEST_F(EvaluatorTest, WhenSaysWhetherATaskRuns) {
  use(R"("type":"noop","when":"parameters.p > 5")");
  EXPECT_FALSE(decide().runs);
  use(R"("type":"noop","when":"parameters.p == 5")");
  EXPECT_TRUE(decide().runs);
  use(R"("type":"noop","when":"parameters.p")");
  EXPECT_EQ(decide().failure->kind, "expression");
}

TEST_F(EvaluatorTest, AListIsCountedAndItsElementsAreGathered) {
  use(R"("type":"noop","map_over":{"literal":[1,2,3]})");
  EXPECT_EQ(decide().elements, 3u);
  EXPECT_EQ(gather({model::Value::inline_json("1"), {}, model::Value::inline_json("\"x\"")}).output,
            model::Value::inline_json(R"([1,null,"x"])"));
  std::string half(base::limits::value_bytes_max / 2, 'x');
  model::Value large = *keep_value('"' + half + '"', machine_.objects);
  EXPECT_EQ(gather({large, large}).failure->kind, "too_large");
}

TEST_F(EvaluatorTest, ABranchTakesItsFirstConditionThatHolds) {
  const char* branch =
      R"("type":"branch","config":{"conditions":[{"label":"a","expression":"parameters.p > {}"},)"
      R"({"label":"b","expression":"parameters.p > 3"}]})";
  std::string text = branch;
  use(std::string(text).replace(text.find("{}"), 2, "4"));
  EXPECT_EQ(decide().output->json, "\"a\"");
  use(std::string(text).replace(text.find("{}"), 2, "5"));
  EXPECT_EQ(decide().output->json, "\"b\"");
}

TEST_F(EvaluatorTest, AnApprovalOpensWithItsMessage) {
  use(R"("type":"approval","config":{"message":"pay {{ parameters.p }}?","timeout_seconds":60})");
  engine::Decided decided = decide();
  ASSERT_TRUE(approval_);
  EXPECT_EQ(approval_->message, "pay 5?");
  EXPECT_EQ(approval_->deadline, decided.until);
  EXPECT_EQ(decided.then, model::WaitEnd::fail);
  use(R"("type":"delay","config":{"seconds":5})");
  EXPECT_GT(decide().until, machine_.clock.now());
  EXPECT_FALSE(approval_);
}

TEST_F(EvaluatorTest, KeysAreWithinTheFlow) {
  use(R"("type":"noop","concurrency_limit":1,"concurrency_key":"parameters.p")");
  EXPECT_EQ(decide().keys.concurrency, "task\norg\nf\n=5");
  use(R"("type":"noop","cache":{"key":"parameters.p","ttl_seconds":60})");
  engine::Decided decided = decide();
  EXPECT_EQ(decided.keys.cache.size(), 64u);
  EXPECT_FALSE(decided.output);
  store::EngineBatch batch;
  batch.cached.push_back({"org", decided.keys.cache, model::Value::inline_json("9"),
                          machine_.clock.now() + std::chrono::hours(1)});
  ASSERT_TRUE(machine_.store->commit(batch));
  EXPECT_EQ(decide().output->json, "9");
  start_.context.org_id = "other";
  EXPECT_FALSE(decide().output);
}

TEST_F(EvaluatorTest, ATaskIsRepeatedUntilItsConditionHolds) {
  use(R"("type":"noop","repeat_until":"inputs.previous >= 3")");
  EXPECT_TRUE(*evaluator_.repeats(start_.context, model::Value::inline_json("2")));
  EXPECT_FALSE(*evaluator_.repeats(start_.context, model::Value::inline_json("3")));
  EXPECT_FALSE(evaluator_.repeats(start_.context, model::Value::inline_json("[]")));
}

TEST_F(EvaluatorTest, ASubflowIsARunOfTheFlowItNames) {
  machine_.add_flow("child", R"({"name":"child","parameters":[{"name":"n","type":"integer"}],)"
                             R"("tasks":[{"id":"x","type":"noop"}]})");
  use(R"("type":"subflow","config":{"flow":"child","parameters":{"n":"{{ parameters.p }}"}})");
  auto child = evaluator_.start_child(start_);
  ASSERT_TRUE(std::holds_alternative<StartChild>(child)) << std::get<model::Failure>(child).message;
  EXPECT_EQ(std::get<StartChild>(child).child.parameters.json, R"({"n":5})");
  EXPECT_EQ(std::get<StartChild>(child).child.depth, 1);
  start_.context.depth = base::limits::subflow_depth_max;
  EXPECT_TRUE(std::holds_alternative<model::Failure>(evaluator_.start_child(start_)));
  start_.context.depth = 0;
  use(R"("type":"subflow","config":{"flow":"nothing"})");
  EXPECT_EQ(std::get<model::Failure>(evaluator_.start_child(start_)).kind, "start_error");
}

}  // namespace
}  // namespace runtime
