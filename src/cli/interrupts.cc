#include "cli/interrupts.h"

#include <unistd.h>

namespace cli {

namespace {

volatile sig_atomic_t first_signal = 0;

void on_signal(int signal) {
  if (first_signal != 0) _exit(128 + signal);
  first_signal = signal;
}

}  // namespace

Interrupts::Interrupts() {
  first_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART: what waits shall notice
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

Interrupts::~Interrupts() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

int Interrupts::signal() {
  return first_signal;
}

}  // namespace cli
