#include "engine/fact.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

const base::Timestamp at = base::from_us(1'700'000'000'000'001);

std::string row(const std::vector<Fact>& facts) {
  std::string out;
  append_facts(out, at, facts);
  return out;
}

TEST(Fact, EveryKindReadsBack) {
  std::vector<Fact> facts{
      RunStarted{},
      TaskQueued{0},
      AttemptStarted{9999, 3, 7},
      AttemptSucceeded{1, 2, Value::inline_json(R"({"big":123456789012345678901234567890.10})")},
      AttemptSucceeded{1, 2, Value::reference(std::string(64, 'a'), 1 << 30)},
      AttemptFailed{2, 1, TaskStatus::retrying, {"exit_code", "é \"quoted\"\n"}, at, true},
      AttemptFailed{2, 1, TaskStatus::failed, {"exception:X", ""}, std::nullopt, false},
      AttemptFailed{2, 1, TaskStatus::timed_out, {"timeout", "late"}, std::nullopt, true},
      AttemptGone{4, 5},
      AttemptLost{4, 6},
      TasksEnded{TaskStatus::skipped, {1, 2, 9999}},
      TasksEnded{TaskStatus::cancelled, {}},
      RunDecided{RunStatus::succeeded, std::nullopt},
      RunDecided{RunStatus::failed, Failure{"timeout", "too long"}}};
  auto read = parse_facts(row(facts));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->at, at);
  EXPECT_EQ(read->facts, facts);
}

TEST(Fact, EveryKindOfTheLanguageReadsBack) {
  std::vector<Fact> facts{RunPaused{},
                          RunResumed{},
                          TaskDecided{3, "task\norg\n=k", ""},
                          TaskDecided{4, "", "cache"},
                          TaskExpanded{5, 100'000},
                          TaskWaiting{6, at, WaitEnd::reject},
                          TaskWaiting{6, std::nullopt, WaitEnd::fail},
                          TaskSucceeded{7, Value::inline_json("[null,1]")},
                          TaskSucceeded{7, Value::reference(std::string(64, 'b'), 99)},
                          TaskFailed{8, TaskStatus::timed_out, {"timeout", "nobody decided"}},
                          IterationEnded{9, 2, Value::inline_json("1")},
                          ChildStarted{10, 1, base::RunId(123456789)},
                          TasksEnded{TaskStatus::skipped, {1, 2, 3, 7}, true}};
  auto read = parse_facts(row(facts));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->facts, facts);
}

// Rows as the first version wrote them: without `by_choice`, tasks one by one.
TEST(Fact, RowsOfTheFirstVersionAreRead) {
  auto read =
      parse_facts(R"({"v":1,"at":5,"f":[["run_started"],["queued",0],)"
                  R"(["tasks_ended","SKIPPED",[1,2]],["tasks_ended","CANCELLED",[[3,5]]]]})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->facts, (std::vector<Fact>{RunStarted{}, TaskQueued{0},
                                            TasksEnded{TaskStatus::skipped, {1, 2}, false},
                                            TasksEnded{TaskStatus::cancelled, {3, 4, 5}, false}}));
}

TEST(Fact, RefusesDamagedFactsOfTheLanguage) {
  for (const char* fact :
       {R"(["decided",1,"k"])", R"(["decided",-1,"",""])", R"(["expanded",1])",
        R"(["expanded",1,-2])", R"(["waiting",1,"soon","succeed"])",
        R"(["waiting",1,null,"maybe"])", R"(["waiting",1])", R"(["task_succeeded",1])",
        R"(["task_failed",1,"BROKEN",null])", R"(["iterated",1,1])", R"(["child",1,1,"run_"])",
        R"(["child",1,1])", R"(["tasks_ended","SKIPPED",[[5,3]],true])",
        R"(["tasks_ended","SKIPPED",[1],1])", R"(["tasks_ended","SKIPPED",[[0,2000000000]],true])",
        R"(["run_paused",1])"})
    EXPECT_FALSE(parse_facts(std::string(R"({"v":1,"at":1,"f":[)") + fact + "]}")) << fact;
}

TEST(Fact, AnEmptyRowReadsBack) {
  auto read = parse_facts(row({}));
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->facts.empty());
}

// The stored form is read by later versions: it must not change by accident.
TEST(Fact, HasThisForm) {
  EXPECT_EQ(row({AttemptStarted{1, 2, 3}, AttemptSucceeded{1, 3, Value::inline_json("[1]")},
                 AttemptFailed{0, 1, TaskStatus::failed, {"k", "m"}, {}, false}}),
            R"({"v":1,"at":1700000000000001,"f":[["started",1,2,3],["succeeded",1,3,{"json":[1]}],)"
            R"(["failed",0,1,"FAILED",{"kind":"k","message":"m"},null,false]]})");
}

TEST(Fact, RefusesDamagedRows) {
  for (const char* text :
       {"", "[]", "{", R"({"v":2,"at":1,"f":[]})", R"({"at":1,"f":[]})", R"({"v":1,"f":[]})",
        R"({"v":1,"at":"x","f":[]})", R"({"v":1,"at":1})", R"({"v":1,"at":1,"f":{}})"}) {
    auto read = parse_facts(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, base::ErrorCode::internal);
  }
}

TEST(Fact, RefusesDamagedFacts) {
  for (const char* fact : {"1",
                           "[]",
                           "[1]",
                           R"(["other"])",
                           R"(["run_started",1])",
                           R"(["queued"])",
                           R"(["queued",-1])",
                           R"(["queued",1.5])",
                           R"(["queued",4294967296])",
                           R"(["queued","1"])",
                           R"(["started",1,1])",
                           R"(["started",1,1,1,1])",
                           R"(["succeeded",1,1])",
                           R"(["succeeded",1,1,{}])",
                           R"(["succeeded",1,1,[]])",
                           R"(["succeeded",1,1,{"object":"x"}])",
                           R"(["failed",1,1,"BROKEN",{"kind":"k","message":"m"},null,false])",
                           R"(["failed",1,1,"FAILED",{"kind":"k"},null,false])",
                           R"(["failed",1,1,"FAILED",{"kind":"k","message":"m"},"x",false])",
                           R"(["failed",1,1,"FAILED",{"kind":"k","message":"m"},null,0])",
                           R"(["failed",1,1,"FAILED",{"kind":"k","message":"m"},null])",
                           R"(["gone",1])",
                           R"(["lost"])",
                           R"(["tasks_ended","SKIPPED"])",
                           R"(["tasks_ended","SKIPPED",1])",
                           R"(["tasks_ended","SKIPPED",["x"]])",
                           R"(["tasks_ended","SKIPPED",[4294967297]])",
                           R"(["tasks_ended","SKIPPED",[-1]])",
                           R"(["run_decided","DONE",null])",
                           R"(["run_decided","FAILED",{"kind":1,"message":"m"}])"}) {
    auto read = parse_facts(R"({"v":1,"at":1,"f":[)" + std::string(fact) + "]}");
    EXPECT_FALSE(read) << fact;
  }
}

// Whatever is cut off or flipped, the reader answers and does not fall over.
TEST(Fact, SurvivesAnyDamage) {
  std::string text = row({AttemptStarted{1, 2, 3}, TasksEnded{TaskStatus::skipped, {1, 2}},
                          AttemptFailed{2, 1, TaskStatus::retrying, {"k", "m"}, at, true}});
  for (std::size_t i = 0; i < text.size(); ++i) {
    EXPECT_FALSE(parse_facts(text.substr(0, i)));
    for (char c : {'\0', '"', '0', '9', '[', '}', '\xff'}) {
      std::string damaged = text;
      damaged[i] = c;
      auto read = parse_facts(damaged);
      EXPECT_TRUE(!read || read->facts.size() == 3) << damaged;
    }
  }
}

}  // namespace
}  // namespace engine
