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

/// What the processes of an attempt give up.
struct Privileges {
  bool drop_capabilities = false;
  bool change_user = false;      // to Request's user_id
  bool limit_processes = false;  // only where they are counted for attempts alone
};

/// Makes this process what attempts are. Only system calls; false and errno when one fails.
bool give_up(const Privileges& privileges, const RequestHeader& header);

/// Starts processes the cheap way: the child borrows the spawner's memory until it executes its
/// program (CLONE_VM | CLONE_VFORK), so nothing is copied and an error needs no pipe. Relies on
/// what the spawner sets up once for all: every signal blocked with its default disposition,
/// descriptors 0 to 3 in use, all others close-on-exec.
class Launcher {
 public:
  explicit Launcher(Privileges privileges);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// `marker` is a variable added to the environment, unless it or the environment is empty.
  LaunchOutcome launch(const Request& request, const std::string& marker);

 private:
  Privileges privileges_;
  void* stack_;
};

}  // namespace exec
