// The Python program that runs the code of python tasks: in a fresh interpreter, in children forked
// from one that has loaded the code already, or one attempt after the other in the same one.
#pragma once

#include <string_view>

namespace exec {

/// For `python3 -I -u -c`. Its one argument is "spawn", "fork" or "worker". Needs Python 3.9 and
/// nothing but its standard library.
///
/// spawn: standard input is the length of the code, a line end, the code, the inputs as JSON; the
/// result goes to file descriptor 3 as {"result": …} or {"error": {"kind", "message"}}.
/// fork, worker: standard input is the code; file descriptor 3 is a socket to the nest, see
/// warm_interpreter.h.
std::string_view python_program();

}  // namespace exec
