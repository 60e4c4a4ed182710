// The program: a server, its offline commands, a client, and the spawner that the server starts
// itself.
#include <string_view>

#include "app/commands.h"
#include "cli/cli.h"
#include "cli/exit_code.h"
#include "clients/sql.h"
#include "exec/process.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app("Dagy, a workflow orchestrator", "dagy");
  app.set_version_flag("--version", DAGY_VERSION);
  app.require_subcommand(1);
  app::Settings settings;
  base::Result<> read = app::read_config_file(argc, argv, settings);
  if (!read) return cli::finish(read);
  cli::Program program = app::client_program();
  cli::Context context{app, program};
  app::add_commands(app, settings, context);
  cli::add_commands(context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int shown = app.exit(error);
    return shown == 0 ? 0 : 2;
  }
  return context.exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "spawner")
    return exec::run_spawner({argv + 2, argv + argc});
  if (argc == 2 && std::string_view(argv[1]) == "sql-task") return clients::run_sql_task();
  return run(argc, argv);
}
