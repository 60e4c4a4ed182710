#include "nodes/node.h"

#include <fmt/format.h>

#include <cstring>

namespace nodes {

Outcome conclude(const NodeType& type, const exec::ProcessEnd& end,
                 std::optional<std::string_view> last_line) {
  if (end.start_error) return Outcome::fail("start_error", end.start_error->message);
  if (end.result_too_large)
    return Outcome::fail("invalid_result", fmt::format("the result is larger than {} bytes",
                                                       base::limits::value_bytes_max));
  if (end.signal != 0) {
    const char* name = sigabbrev_np(end.signal);
    return Outcome::fail("exit_code", fmt::format("ended by signal {} (SIG{})", end.signal,
                                                  name != nullptr ? name : "?"));
  }
  // A type may say more of a failure than its exit code does.
  if (end.exit_code != 0 && end.result.empty())
    return Outcome::fail("exit_code", fmt::format("exit code {}", end.exit_code));
  return type.result(end, last_line);
}

std::vector<std::string> base_environment(const NodeContext& context) {
  std::vector<std::string> environment = {
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
      "HOME=" + context.working_directory};
  environment.insert(environment.end(), context.environment.begin(), context.environment.end());
  return environment;
}

}  // namespace nodes
