// The commands that are not a client's: serve, admin, and what prints the program's own tables.
#pragma once

#include <CLI/CLI.hpp>

#include "app/settings.h"
#include "cli/context.h"

namespace app {

/// Adds them; `settings` and `context` outlive the parsing.
void add_commands(CLI::App& app, Settings& settings, cli::Context& context);
/// Reads the file that --config or DAGY_CONFIG names, before the flags, so that they win.
base::Result<> read_config_file(int argc, char** argv, Settings& settings);
/// What the client's commands need of the rest of the program.
cli::Program client_program();

}  // namespace app
