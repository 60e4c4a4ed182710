#include "api/flow_artifact.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "model/needed_modules.h"
#include "store/artifacts.h"

namespace api {

namespace {

base::Error bad_uri(const std::string& rule) {
  return base::invalid("/artifact_uri: " + rule, {{"/artifact_uri", rule}});
}

base::Result<std::string> unpacked(const Call& call, const std::string& sha256) {
  const std::string& org_id = call.identity->org_id;
  bool is_there = false;
  TRY(call.services.store.read([&](store::Tx& tx) -> base::Result<> {
    is_there = !TRY(store::artifact_parts(tx, org_id, sha256)).empty();
    return {};
  }));
  if (!is_there) return bad_uri("no such artifact: upload it first");
  auto directory = call.services.artifacts.get(org_id, sha256);
  if (!directory && directory.error().code == base::ErrorCode::invalid)
    return bad_uri("the artifact " + directory.error().message);
  return directory;
}

bool has_module(const std::string& directory, std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  std::string path = directory + '/' + name;
  std::error_code ignored;
  return std::filesystem::is_regular_file(path + ".py", ignored) ||
         std::filesystem::is_regular_file(path + "/__init__.py", ignored);
}

}  // namespace

base::Result<std::optional<std::string>> check_artifact(const Call& call,
                                                        const std::optional<std::string>& uri,
                                                        const model::FlowSpec& spec) {
  std::optional<std::string> sha256;
  std::string directory;
  if (uri) {
    sha256 = store::artifact_of(*uri);
    if (!sha256) return bad_uri("must be dagy://artifacts/ and the SHA-256 of an artifact");
    directory = TRY(unpacked(call, *sha256));
  }
  base::FieldErrors errors;
  for (const model::NeededModule& module : model::needed_modules(spec, call.services.catalog)) {
    std::string pointer = "/flow_spec" + module.pointer;
    if (!uri) {
      errors.add(pointer, "needs an artifact_uri: the module is in an artifact");
    } else if (!has_module(directory, module.name)) {
      errors.add(pointer, fmt::format("the artifact has no module {}", module.name));
    }
  }
  if (!errors.empty()) return std::move(errors).error();
  return sha256;
}

}  // namespace api
