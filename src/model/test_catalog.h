// For tests: a catalog of two node types, "instant" (needs no slot) and "process" (needs one).
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

inline NodeCatalog test_catalog() {
  static constexpr std::array<NodeTypeInfo, 2> types{
      {{"instant", "", false, TestInstantConfig::fields, check_test_config<TestInstantConfig>},
       {"process", "", true, TestProcessConfig::fields, check_test_config<TestProcessConfig>}}};
  return types;
}

}  // namespace model
