// The program: `dagy serve`, `dagy admin …`, `dagy openapi`, `dagy settings`, and the spawner that
// the server starts itself.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string_view>

#include "api/openapi.h"
#include "app/admin.h"
#include "app/serve.h"
#include "app/settings.h"
#include "clients/sql.h"
#include "exec/process.h"

namespace {

int exit_code(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::invalid:
    case base::ErrorCode::malformed:
      return 2;
    case base::ErrorCode::unauthenticated:
    case base::ErrorCode::forbidden:
      return 3;
    case base::ErrorCode::unavailable:
    case base::ErrorCode::upstream:
    case base::ErrorCode::timeout:
      return 4;
    case base::ErrorCode::not_found:
      return 5;
    default:
      return 1;
  }
}

int finish(const base::Result<>& result) {
  if (result) return 0;
  fmt::print(stderr, "dagy: {}\n", result.error().message);
  return exit_code(result.error());
}

// Each setting is a flag, a variable and a line of the configuration file; what may be a secret is
// only a variable, since arguments can be read by others.
void add_settings(CLI::App& command, app::Settings& settings) {
  for (const app::Setting& setting : app::settings_table()) {
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
base::Result<> read_config(const std::string& path, app::Settings& settings) {
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_file(path);
  } catch (const CLI::Error& error) {
    return base::invalid(fmt::format("{}: {}", path, error.what()));
  }
  for (const CLI::ConfigItem& item : items) {
    std::string value = item.inputs.empty() ? "" : item.inputs.front();
    TRY(app::set_from_text(settings, item.fullname(), value));
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

void add_admin(CLI::App& app, app::Settings& settings, int& code) {
  CLI::App* admin = app.add_subcommand("admin", "Offline commands on the data directory");
  admin->require_subcommand(1);
  add_settings(*admin, settings);

  auto organization = std::make_shared<app::OrganizationOrder>();
  CLI::App* org = admin->add_subcommand("org", "Organizations")->require_subcommand(1);
  CLI::App* org_add = org->add_subcommand("add", "Add an organization");
  org_add->add_option("slug", organization->slug)->required();
  org_add->add_option("--name", organization->name, "the slug when absent");
  org_add->callback([&settings, &code, organization] {
    if (organization->name.empty()) organization->name = organization->slug;
    code = finish(app::add_organization(settings, *organization));
  });

  auto user_order = std::make_shared<app::UserOrder>();
  CLI::App* user = admin->add_subcommand("user", "Users")->require_subcommand(1);
  CLI::App* user_add =
      user->add_subcommand("add", "Add a user; the password is a line of standard input");
  user_add->add_option("email", user_order->email)->required();
  user_add->add_option("--org", user_order->organization, "slug")->required();
  user_add->add_option("--role", user_order->role, "viewer, developer, admin, owner")->required();
  user_add->callback(
      [&settings, &code, user_order] { code = finish(app::add_user(settings, *user_order)); });

  auto grant_order = std::make_shared<app::GrantOrder>();
  CLI::App* grant = admin->add_subcommand("grant", "Change a role or make a super admin");
  grant->add_option("email", grant_order->email)->required();
  grant->add_option("--org", grant_order->organization, "slug");
  grant->add_option("--role", grant_order->role, "viewer, developer, admin, owner");
  grant->add_flag("--super-admin", grant_order->super_admin);
  grant->callback(
      [&settings, &code, grant_order] { code = finish(app::grant(settings, *grant_order)); });
}

int run(int argc, char** argv) {
  CLI::App app("Dagy, a workflow orchestrator", "dagy");
  app.set_version_flag("--version", DAGY_VERSION);
  app.require_subcommand(1);
  app::Settings settings;
  int code = 0;
  std::string config = config_path(argc, argv);
  if (!config.empty())
    if (base::Result<> read = read_config(config, settings); !read) return finish(read);
  CLI::App* serve = app.add_subcommand("serve", "Run the server");
  add_settings(*serve, settings);
  serve->add_option("--config", config, "file with lines of name = value; also DAGY_CONFIG");
  serve->callback([&] { code = finish(app::serve(settings)); });
  add_admin(app, settings, code);
  app.add_subcommand("openapi", "Print the OpenAPI document")->callback([] {
    fmt::print("{}", api::openapi_document());
  });
  app.add_subcommand("settings", "Print the table of settings")->callback([] {
    fmt::print("{}", app::settings_markdown());
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    int shown = app.exit(error);
    return shown == 0 ? 0 : 2;
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "spawner")
    return exec::run_spawner({argv + 2, argv + argc});
  if (argc == 2 && std::string_view(argv[1]) == "sql-task") return clients::run_sql_task();
  return run(argc, argv);
}
