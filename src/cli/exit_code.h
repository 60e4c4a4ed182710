// The exit codes of every command: 0 ok, 1 failed, 2 usage, 3 credential, 4 network, 5 not found.
#pragma once

#include "base/result.h"

namespace cli {

/// One switch for all.
int exit_code(base::ErrorCode code);
/// Prints an error with its fields on standard error; its exit code, or 0.
int finish(const base::Result<>& result);

}  // namespace cli
