// Which variables an expression reads, and which of their members: `inputs.rows` and
// `inputs["rows"]` read member rows of inputs; `tasks[x]` and a bare `tasks` read all of tasks.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

namespace model::cel {

struct Members {
  bool all = false;
  std::set<std::string, std::less<>> names;
  bool operator==(const Members&) const = default;
};

using Reads = std::map<std::string, Members, std::less<>>;

/// Adds to `reads` what `more` reads.
void merge(Reads& reads, const Reads& more);

}  // namespace model::cel
