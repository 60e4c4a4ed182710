// For tests: a catalog with a node type of every kind; "instant" (needs no slot) and "process"
// (needs one) are attempted.
#pragma once

#include <array>

#include "model/node_type.h"

namespace model {

struct TestInstantConfig {
  static const base::Fields& fields() {
    static const base::Fields fields("TestInstantConfig", {});
    return fields;
  }
};

struct TestProcessConfig {
  std::string command;
  static const base::Fields& fields() {
    static const base::Fields fields(
        "TestProcessConfig",
        {base::field<&TestProcessConfig::command>("command", "").required().length(1, 100)});
    return fields;
  }
};

template <class Config>
void check_test_config(base::JsonView from, const base::Path& path, base::FieldErrors& errors) {
  Config config;
  Config::fields().read(from, &config, path, errors);
}

/// {"choices": {label: expression}, "otherwise": label}
struct TestBranchConfig {
  std::map<std::string, std::string> choices;
  std::optional<std::string> otherwise;
  static const base::Fields& fields() {
    using S = TestBranchConfig;
    static const base::Fields fields(
        "TestBranchConfig",
        {base::field<&S::choices>("choices", ""), base::field<&S::otherwise>("otherwise", "")});
    return fields;
  }
};

inline std::vector<ConfigExpression> test_choices(base::JsonView config) {
  std::vector<ConfigExpression> out;
  if (auto choices = config.find("choices"))
    for (base::JsonView::Member each : choices->members())
      out.push_back({each.name.string(), each.value.string(), "/choices/" + each.name.string()});
  return out;
}

inline NodeCatalog test_catalog() {
  constexpr auto instant = check_test_config<TestInstantConfig>;
  static constexpr std::array<NodeTypeInfo, 6> types{
      {{"instant", "", false, TestInstantConfig::fields, instant},
       {"process", "", true, TestProcessConfig::fields, check_test_config<TestProcessConfig>},
       {"branch",
        "",
        false,
        TestBranchConfig::fields,
        check_test_config<TestBranchConfig>,
        NodeKind::branch,
        {},
        test_choices},
       {"delay", "", false, TestInstantConfig::fields, instant, NodeKind::delay},
       {"approval", "", false, TestInstantConfig::fields, instant, NodeKind::approval},
       {"subflow", "", false, TestInstantConfig::fields, instant, NodeKind::subflow}}};
  return types;
}

}  // namespace model
