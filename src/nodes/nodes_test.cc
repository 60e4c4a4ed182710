// Node types: what they make of a config, and what they make of the end of their process.
#include <gtest/gtest.h>

#include <algorithm>

#include "nodes/catalog.h"

namespace nodes {
namespace {

std::vector<base::FieldError> check(std::string_view type, const std::string& config) {
  auto document = *base::JsonDocument::parse(config);
  base::FieldErrors errors;
  find(type)->info.check(document->root(), base::Path{}, errors);
  if (errors.empty()) return {};
  return std::move(errors).error().fields;
}

NodeContext context(std::string config) {
  return {.config = std::move(config),
          .inputs = R"({"a":1})",
          .parameters = R"({"p":2})",
          .working_directory = "/work",
          .artifact_directory = "/artifact",
          .environment = {"DAGY_RUN_ID=run_1"}};
}

bool has(const std::vector<std::string>& list, const std::string& entry) {
  return std::find(list.begin(), list.end(), entry) != list.end();
}

exec::ProcessEnd ended(int code, std::string result = "") {
  exec::ProcessEnd end;
  end.exit_code = code;
  end.result = std::move(result);
  return end;
}

TEST(Catalog, ListsWhatIsBuilt) {
  std::vector<std::string_view> types;
  for (const model::NodeTypeInfo& info : catalog()) types.push_back(info.type);
  EXPECT_EQ(types,
            (std::vector<std::string_view>{"noop", "python", "shell", "http", "sql", "transform",
                                           "branch", "delay", "approval", "subflow"}));
  EXPECT_EQ(find("agent"), nullptr);
}

TEST(Configs, UnknownFieldsAreRefused) {
  EXPECT_EQ(check("noop", R"({"x":1})")[0].path, "/x");
  EXPECT_EQ(check("shell", R"({"command":"true","shell":"bash"})")[0].path, "/shell");
  EXPECT_EQ(check("transform", R"({"program":".","x":1})")[0].path, "/x");
  for (const char* later : {"started", "entrypoint", "requirements"}) {
    auto errors =
        check("python", std::string(R"({"code":"def main(): pass",")") + later + R"(":"fork"})");
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0].path, std::string("/") + later);
  }
}

TEST(Configs, WhatIsNeededMustBeThere) {
  EXPECT_EQ(check("shell", "{}")[0].path, "/command");
  EXPECT_EQ(check("python", "{}")[0].path, "");
  EXPECT_EQ(check("python", R"({"code":"x","entrypoint":"m:f"})")[0].path, "");
  EXPECT_EQ(check("transform", "{}")[0].path, "/program");
  EXPECT_EQ(check("shell", R"({"command":""})").size(), 1u);
  EXPECT_EQ(check("shell", R"({"command":[]})").size(), 1u);
  EXPECT_EQ(check("shell", R"({"command":5})").size(), 1u);
  EXPECT_EQ(check("shell", R"({"command":[""]})").size(), 1u);
}

TEST(Configs, EnvironmentNames) {
  EXPECT_TRUE(check("shell", R"({"command":"true","env":{"A":"1"}})").empty());
  EXPECT_EQ(check("shell", R"({"command":"true","env":{"A=B":"1"}})")[0].path, "/env/A=B");
  EXPECT_EQ(check("shell", R"({"command":"true","env":{"DAGY_RUN_ID":"1"}})").size(), 1u);
}

TEST(Shell, AStringIsForTheShellAListIsNot) {
  auto text = find("shell")->prepare(context(R"({"command":"echo $A","env":{"A":"1"}})"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->process.argv, (std::vector<std::string>{"/bin/sh", "-c", "echo $A"}));
  EXPECT_TRUE(has(text->process.environment, "A=1"));
  EXPECT_TRUE(has(text->process.environment, "DAGY_RUN_ID=run_1"));
  EXPECT_EQ(text->process.stdin_data, R"({"a":1})");
  EXPECT_EQ(text->process.working_directory, "/work");
  auto words =
      find("shell")->prepare(context(R"({"command":["echo","$A"],"working_directory":"/tmp"})"));
  EXPECT_EQ(words->process.argv, (std::vector<std::string>{"echo", "$A"}));
  EXPECT_EQ(words->process.working_directory, "/tmp");
}

TEST(Shell, TheLastLineIsTheOutput) {
  const NodeType& shell = *find("shell");
  EXPECT_EQ(conclude(shell, ended(0), R"( {"x": 1} )").output, R"({"x": 1})");
  EXPECT_EQ(conclude(shell, ended(0), "plain \"text\"").output, R"("plain \"text\"")");
  EXPECT_EQ(conclude(shell, ended(0), "").output, "null");
  EXPECT_EQ(conclude(shell, ended(0), std::nullopt).failure.kind, "invalid_result");
  EXPECT_EQ(conclude(shell, ended(0), std::string_view("a\0b", 3)).output, R"("a?b")");
}

TEST(Ends, AreOneRuleForAllTypes) {
  for (const char* type : {"shell", "python", "transform"}) {
    EXPECT_EQ(conclude(*find(type), ended(3), "").failure.kind, "exit_code");
    exec::ProcessEnd killed;
    killed.signal = 9;
    EXPECT_EQ(conclude(*find(type), killed, "").failure.message, "ended by signal 9 (SIGKILL)");
    exec::ProcessEnd never;
    never.start_error = base::unavailable("no such program");
    EXPECT_EQ(conclude(*find(type), never, "").failure.kind, "start_error");
    exec::ProcessEnd large;
    large.result_too_large = true;
    EXPECT_EQ(conclude(*find(type), large, "").failure.kind, "invalid_result");
  }
}

TEST(Python, TheResultComesOnItsOwnChannel) {
  const NodeType& python = *find("python");
  auto prepared = python.prepare(context(R"({"code":"def main(a): return a"})"));
  ASSERT_TRUE(prepared);
  EXPECT_TRUE(prepared->process.result_channel);
  EXPECT_EQ(prepared->process.stdin_data, "21 main\ndef main(a): return a{\"a\":1}");
  EXPECT_EQ(conclude(python, ended(0, R"({"result":[1]})"), "noise").output, "[1]");
  EXPECT_EQ(conclude(python, ended(0), "noise").failure.kind, "invalid_result");
  EXPECT_EQ(conclude(python, ended(0, "not json"), "").failure.kind, "invalid_result");
  EXPECT_EQ(conclude(python, ended(0, "{}"), "").failure.kind, "invalid_result");
  EXPECT_EQ(conclude(python, ended(5, R"({"result":1})"), "").failure.kind, "exit_code");
}

TEST(Python, AFunctionOfTheArtifact) {
  const NodeType& python = *find("python");
  auto process = python.prepare(context(R"({"entrypoint":"pkg.etl:Steps.run"})"))->process;
  EXPECT_EQ(process.artifact_directory, "/artifact");
  EXPECT_EQ(process.warm_code, "/artifact\npkg.etl");
  EXPECT_EQ(process.stdin_data, "17 Steps.run\n/artifact\npkg.etl{\"a\":1}");
  EXPECT_EQ(python.prepare(context(R"({"code":"x"})"))->process.artifact_directory, "");
  for (const char* wrong : {"m", ":f", "m:", "m:f:g", "m..n:f", "1m:f", "m:f()", "m/n:f"})
    EXPECT_EQ(check("python", std::string(R"({"entrypoint":")") + wrong + "\"}")[0].path,
              "/entrypoint")
        << wrong;
}

TEST(Python, StartsForkedUnlessItSaysOtherwise) {
  const NodeType& python = *find("python");
  auto start = [&](const std::string& config) {
    return python.prepare(context(config))->process.warm;
  };
  EXPECT_EQ(start(R"({"code":"x"})"), exec::WarmStart::fork);
  EXPECT_EQ(start(R"({"code":"x","start":"fork"})"), exec::WarmStart::fork);
  EXPECT_EQ(start(R"({"code":"x","start":"worker"})"), exec::WarmStart::worker);
  EXPECT_EQ(start(R"({"code":"x","start":"spawn"})"), exec::WarmStart::none);
  EXPECT_EQ(check("python", R"({"code":"x","start":"thread"})")[0].path, "/start");
  EXPECT_EQ(python.prepare(context(R"({"code":"x"})"))->process.warm_code, "x");
}

TEST(Python, AnExceptionKeepsItsClass) {
  Outcome outcome = conclude(
      *find("python"),
      ended(1, R"({"error":{"kind":"exception:ValueError","message":"ValueError: no"}})"), "");
  EXPECT_EQ(outcome.failure.kind, "exception:ValueError");
  EXPECT_EQ(outcome.failure.message, "ValueError: no");
}

TEST(Transform, ExactlyOneResult) {
  const NodeType& transform = *find("transform");
  auto prepared = transform.prepare(context(R"({"program":".inputs.a"})"));
  ASSERT_TRUE(prepared);
  EXPECT_TRUE(prepared->process.environment.empty());
  EXPECT_EQ(prepared->process.stdin_data, R"({"inputs":{"a":1},"parameters":{"p":2}})");
  EXPECT_EQ(conclude(transform, ended(0, "{\"x\":1}\n"), "").output, "{\"x\":1}");
  EXPECT_EQ(conclude(transform, ended(0, "1\n2\n"), "").failure.kind, "invalid_result");
  EXPECT_EQ(conclude(transform, ended(0, ""), "").failure.kind, "invalid_result");
  EXPECT_EQ(conclude(transform, ended(5, "1\n"), "").failure.kind, "exit_code");
}

}  // namespace
}  // namespace nodes
