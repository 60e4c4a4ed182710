// The Python program that runs python tasks: in a fresh interpreter, in children forked
// from one that has loaded the code already, or one attempt after the other in the same one.
#pragma once

#include <string_view>

namespace exec {

/// For `python3 -I -u -c`. Arguments: the path of the Python SDK, or an empty one; what there is to
/// load, "code" or "module"; and how, "spawn", "fork" or "worker". Needs Python 3.9 and nothing but
/// its standard library. What is loaded is a text: Python code; or a directory, a line end, and the
/// name of a module in it.
///
/// spawn: standard input is the length of the text, a space, the name of the function to call, a
/// line end, the text, the inputs as JSON; the
/// result goes to file descriptor 3 as {"result": …} or {"error": {"kind", "message"}}.
/// fork, worker: standard input is the text; file descriptor 3 is a socket to the nest, see
/// warm_interpreter.h.
std::string_view python_program();

}  // namespace exec
