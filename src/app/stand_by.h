// A node of a shared database while another one works: it answers /health/live, refuses everything
// else, and waits for its turn.
#pragma once

#include <signal.h>

#include "app/data_directory.h"
#include "app/settings.h"
#include "store/membership.h"

namespace app {

/// Returns true once this node has the right to work, false after one of `stop_signals` (which all
/// threads must have blocked). A node that stands by listens where it will work: a port that was
/// chosen by the system is then set in `settings`.
base::Result<bool> wait_for_turn(store::Membership& membership, Settings& settings,
                                 const DataDirectory& directory, const sigset_t& stop_signals);

}  // namespace app
