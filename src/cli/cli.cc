#include "cli/cli.h"

#include <fmt/format.h>

#include "cli/account_commands.h"
#include "cli/command_tree.h"
#include "cli/doctor.h"
#include "cli/resource_commands.h"
#include "cli/run_commands.h"

namespace cli {

void add_commands(Context& context) {
  CLI::App& app = context.app;
  app.add_option("--url", context.url, "address of the server; also DAGY_URL");
  app.add_option("--profile", context.profile, "profile to use; also DAGY_PROFILE");
  app.add_option(
      "--ca-file", context.ca_file,
      "PEM file of the certificate authorities that are trusted instead of the system's");
  app.add_option("-o,--output", context.output, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
  add_account_commands(context);
  add_resource_commands(context);
  add_run_commands(context);
  add_doctor_command(context);
  add_tree_commands(context);
  CLI::App* version = make_command(context, {"version"}, "Print the version");
  on_call(context, version, [] { return print_text("dagy " DAGY_VERSION "\n"); });
}

}  // namespace cli
