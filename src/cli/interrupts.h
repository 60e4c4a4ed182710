// Ctrl-C and SIGTERM while a run is followed: the first is for the program to obey, a second one
// ends the process at once.
#pragma once

#include <signal.h>

namespace cli {

class Interrupts {
 public:
  Interrupts();
  ~Interrupts();  // as it was
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// The first signal that has come, or 0.
  static int signal();
  static int exit_code() { return 128 + signal(); }

 private:
  struct sigaction before_int_;
  struct sigaction before_term_;
};

}  // namespace cli
