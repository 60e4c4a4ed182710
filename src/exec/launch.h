// Starts one process from a request, in the spawner.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "exec/spawner_protocol.h"

namespace exec {

struct LaunchOutcome {
  pid_t pid = -1;  // -1: not started
  StartStage stage = StartStage::none;
  int error = 0;  // errno
};

/// Starts processes the cheap way: the child borrows the spawner's memory until it executes its
/// program (CLONE_VM | CLONE_VFORK), so nothing is copied and an error needs no pipe. Relies on
/// what the spawner sets up once for all: every signal blocked with its default disposition,
/// descriptors 0 to 3 in use, all others close-on-exec.
class Launcher {
 public:
  Launcher();
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// `marker` is a variable added to the environment.
  LaunchOutcome launch(const Request& request, const std::string& marker);

 private:
  void* stack_;
};

}  // namespace exec
