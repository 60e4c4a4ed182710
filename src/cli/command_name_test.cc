#include <gtest/gtest.h>

#include <algorithm>

#include "cli/operation.h"

namespace cli {
namespace {

struct Item {
  std::string id;
  static const base::Fields& fields() {
    static const base::Fields fields("Item", {base::field<&Item::id>("id", "").required()});
    return fields;
  }
};
struct Page {
  std::vector<Item> items;
  static const base::Fields& fields() {
    static const base::Fields fields("Page", {base::field<&Page::items>("items", "").required()});
    return fields;
  }
};
struct Flags {
  std::string text;
  std::optional<int> number;
  bool boolean = false;
  std::optional<std::vector<std::string>> texts;
  std::vector<Item> items;
  base::RawJson any;
  std::string password;
  static const base::Fields& fields() {
    using S = Flags;
    static const base::Fields fields(
        "Flags", {base::field<&S::text>("text", ""), base::field<&S::number>("number", ""),
                  base::field<&S::boolean>("boolean", ""), base::field<&S::texts>("texts", ""),
                  base::field<&S::items>("items", ""), base::field<&S::any>("any", ""),
                  base::field<&S::password>("new_password", "")});
    return fields;
  }
};

Operation operation(std::string_view method, std::string_view path, bool is_page = false) {
  Operation made{method, path, path, "", ""};
  if (is_page) made.answer = &Page::fields();
  return made;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST(CommandName, ByRule) {
  std::vector<std::pair<Operation, std::string>> cases = {
      {operation("GET", "/environments", true), "environments list"},
      {operation("POST", "/environments"), "environments create"},
      {operation("GET", "/environments/{id}"), "environments show"},
      {operation("PATCH", "/environments/{id}"), "environments update"},
      {operation("DELETE", "/environments/{id}"), "environments delete"},
      {operation("PUT", "/environments/reorder"), "environments reorder"},
      {operation("GET", "/environments/{id}/variables", true), "environments variables list"},
      {operation("POST", "/environments/{id}/variables"), "environments variables create"},
      {operation("PUT", "/environments/{id}/variables/{key}"), "environments variables update"},
      {operation("GET", "/environments/{id}/diff"), "environments diff"},
      {operation("POST", "/environments/{id}/promote"), "environments promote"},
      {operation("GET", "/api-keys", true), "keys list"},
      {operation("GET", "/approvals", true), "approvals list"},
      {operation("POST", "/runs/{run_id}/cancel"), "runs cancel"},
      {operation("POST", "/runs/cancel"), "runs cancel-by-/runs/cancel"},
  };
  std::vector<Operation> operations;
  for (const auto& [each, name] : cases) operations.push_back(each);
  std::vector<std::vector<std::string>> names = command_names(operations);
  for (std::size_t i = 0; i < cases.size(); ++i)
    EXPECT_EQ(joined(names[i]), cases[i].second) << operations[i].path;
}

TEST(CommandName, Aliases) {
  Operation show = operation("GET", "/flows/{flow_name}/latest");
  show.name = "getLatestFlowVersion";
  Operation login = operation("POST", "/auth/login");
  login.name = "login";
  std::vector<std::vector<std::string>> names = command_names({show, login});
  EXPECT_EQ(joined(names[0]), "flows show");
  EXPECT_TRUE(names[1].empty());
}

TEST(CommandName, PathParameters) {
  EXPECT_EQ(joined(path_parameters("/a/{b}/c/{d_e}")), "b d_e");
  EXPECT_TRUE(path_parameters("/a/b").empty());
}

TEST(Operation, KindsOfFlags) {
  std::vector<FlagKind> kinds;
  for (const base::Field& field : Flags::fields().list()) kinds.push_back(flag_kind(field));
  EXPECT_EQ(kinds, (std::vector<FlagKind>{FlagKind::text, FlagKind::json_scalar, FlagKind::boolean,
                                          FlagKind::text_list, FlagKind::json, FlagKind::json,
                                          FlagKind::text}));
  Operation any = operation("POST", "/x");
  EXPECT_FALSE(is_secret(any, Flags::fields().list().front()));
  EXPECT_TRUE(is_secret(any, Flags::fields().list().back()));
}

TEST(Operation, ElementsOfAPage) {
  EXPECT_EQ(element_fields(Page::fields().list().front()), &Item::fields());
  EXPECT_EQ(element_fields(Flags::fields().list().front()), nullptr);
}

}  // namespace
}  // namespace cli
