#include "app/commands.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "api/openapi.h"
#include "api/route.h"
#include "app/admin.h"
#include "app/local_server.h"
#include "app/serve.h"
#include "cli/exit_code.h"
#include "exec/python_sdk.h"

namespace app {

namespace {

// Each setting is a flag, a variable and a line of the configuration file; what may be a secret is
// only a variable, since arguments can be read by others.
void add_settings(CLI::App& command, Settings& settings) {
  for (const Setting& setting : settings_table()) {
    if (!setting.has_flag) {
      const char* value = std::getenv(setting.variable().c_str());
      if (value != nullptr) settings.*setting.text = value;
      continue;
    }
    CLI::Option* option = nullptr;
    std::string meaning(setting.meaning);
    if (setting.text != nullptr) {
      option = command.add_option(setting.flag_name(), settings.*setting.text, meaning);
    } else if (setting.number != nullptr) {
      option = command.add_option(setting.flag_name(), settings.*setting.number, meaning)
                   ->check(CLI::Range(setting.minimum, setting.maximum));
    } else {
      option = command.add_flag(setting.flag_name(), settings.*setting.flag, meaning);
    }
    option->envname(setting.variable())->capture_default_str();
  }
}

// Takes settings from a file of `name = value` lines; they stand below variables and flags.
base::Result<> read_config(const std::string& path, Settings& settings) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& error) {
    return base::invalid(fmt::format("{}: {}", path, error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    std::string value = item.inputs.empty() ? "" : item.inputs.front();
    TRY(set_from_text(settings, item.fullname(), value));
  }
  return {};
}

// The file that --config or DAGY_CONFIG names; read before the flags, so that they win.
std::string config_path(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string_view(argv[i]) == "--config") return argv[i + 1];
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]).starts_with("--config=")) return argv[i] + sizeof "--config";
  const char* variable = std::getenv("DAGY_CONFIG");
  return variable != nullptr ? variable : "";
}

void add_admin(CLI::App& app, Settings& settings, cli::Context& context) {
  CLI::App* admin = app.add_subcommand("admin", "Offline commands on the data directory");
  admin->require_subcommand(1);
  add_settings(*admin, settings);

  auto organization = std::make_shared<OrganizationOrder>();
  CLI::App* org = admin->add_subcommand("org", "Organizations")->require_subcommand(1);
  CLI::App* org_add = org->add_subcommand("add", "Add an organization");
  org_add->add_option("slug", organization->slug)->required();
  org_add->add_option("--name", organization->name, "the slug when absent");
  org_add->callback([&settings, &context, organization] {
    if (organization->name.empty()) organization->name = organization->slug;
    context.exit_code = cli::finish(add_organization(settings, *organization));
  });

  auto user_order = std::make_shared<UserOrder>();
  CLI::App* user = admin->add_subcommand("user", "Users")->require_subcommand(1);
  CLI::App* user_add =
      user->add_subcommand("add", "Add a user; the password is a line of standard input");
  user_add->add_option("email", user_order->email)->required();
  user_add->add_option("--org", user_order->organization, "slug")->required();
  user_add->add_option("--role", user_order->role, "viewer, developer, admin, owner")->required();
  user_add->callback([&settings, &context, user_order] {
    context.exit_code = cli::finish(add_user(settings, *user_order));
  });

  auto grant_order = std::make_shared<GrantOrder>();
  CLI::App* grant = admin->add_subcommand("grant", "Change a role or make a super admin");
  grant->add_option("email", grant_order->email)->required();
  grant->add_option("--org", grant_order->organization, "slug");
  grant->add_option("--role", grant_order->role, "viewer, developer, admin, owner");
  grant->add_flag("--super-admin", grant_order->super_admin);
  grant->callback([&settings, &context, grant_order] {
    context.exit_code = cli::finish(app::grant(settings, *grant_order));
  });
}

cli::Operation operation_of(const api::Category& category, const api::Route& route) {
  auto fields = [](api::Description description) {
    return description == nullptr ? nullptr : &description();
  };
  cli::Operation operation;
  operation.method = api::method_name(route.method);
  operation.path = route.path;
  operation.name = route.name;
  operation.summary = route.summary;
  operation.tag = category.tag;
  operation.query = fields(route.query);
  operation.body = fields(route.body);
  operation.takes_idempotency_key = route.takes_idempotency_key;
  for (const api::Answers& answer : route.answers) {
    if (answer.status >= 300 || answer.status == 204) continue;
    operation.answer = fields(answer.body);
    operation.content_type = answer.content_type;
    break;
  }
  return operation;
}

}  // namespace

base::Result<> read_config_file(int argc, char** argv, Settings& settings) {
  std::string path = config_path(argc, argv);
  return path.empty() ? base::Result<>() : read_config(path, settings);
}

void add_commands(CLI::App& app, Settings& settings, cli::Context& context) {
  CLI::App* serve_command = app.add_subcommand("serve", "Run the server");
  add_settings(*serve_command, settings);
  auto path = std::make_shared<std::string>();  // read already
  serve_command->add_option("--config", *path, "file with lines of name = value; also DAGY_CONFIG");
  serve_command->callback(
      [&settings, &context, path] { context.exit_code = cli::finish(serve(settings)); });
  add_admin(app, settings, context);
  app.add_subcommand("openapi", "Print the OpenAPI document")->callback([] {
    fmt::print("{}", api::openapi_document());
  });
  app.add_subcommand("settings", "Print the table of settings")->callback([] {
    fmt::print("{}", settings_markdown());
  });
}

cli::Program client_program() {
  cli::Program program;
  program.python_sdk = exec::python_sdk_zip();
  program.start_local = start_local_server;
  for (const api::Category& category : api::categories())
    for (const api::Route& route : category.routes)
      program.operations.push_back(operation_of(category, route));
  return program;
}

}  // namespace app
