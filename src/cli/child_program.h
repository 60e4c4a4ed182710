// Programs that commands start and wait for.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cli {

/// Runs a program of PATH to its end; what it prints goes to standard error. Its exit code, or 128
/// and the signal that ended it; `invalid` where it cannot be started.
base::Result<int> run_program(std::vector<std::string> words, std::vector<std::string> variables);

/// Variables of this process but for its credential.
std::vector<std::string> inherited_variables();

}  // namespace cli
