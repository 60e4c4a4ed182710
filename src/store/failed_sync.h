// The end of a process whose fsync has failed: nobody knows what the disk holds then, and asking
// again may be told a lie. Only a restart finds out.
#pragma once

#include <cstdlib>
#include <string>

#include "base/log.h"

namespace store {

[[noreturn]] inline void end_after_failed_sync(const std::string& error) {
  base::log_error("fsync failed, the process ends", {{"error", error}});
  std::abort();
}

}  // namespace store
