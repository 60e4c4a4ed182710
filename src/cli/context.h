// What all commands share: the options that choose server, credential and format, and the outcome.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/api_client.h"
#include "cli/config.h"
#include "cli/operation.h"
#include "cli/output.h"

namespace cli {

/// A server in this process, that ends with its owner.
class LocalServer {
 public:
  virtual ~LocalServer() = default;
  virtual Server address() const = 0;  // with a credential
};

struct LocalOptions {
  std::string data_dir;
  std::string allowed_paths;
  std::string http_allow;
};

/// What app hands in.
struct Program {
  std::vector<Operation> operations;
  std::string_view python_sdk;  // a zip that Python can import from
  std::function<base::Result<std::unique_ptr<LocalServer>>(const LocalOptions&)> start_local;
};

/// Lives as long as the CLI::App whose commands use it.
struct Context {
  CLI::App& app;
  const Program& program;
  std::string url;
  std::string profile;
  std::string ca_file;
  std::string output = "table";
  int exit_code = 0;

  Format format() const { return base::enum_from_name<Format>(output).value_or(Format::table); }
  /// Name of the profile that is used: --profile, DAGY_PROFILE, or the file's current one.
  std::string profile_name(const Config& config) const;
  /// --url or DAGY_URL, or the profile's; http://localhost:8000 where none is said. Without a
  /// credential.
  base::Result<Server> address(const Profile& profile) const;
  /// The address with its credential, if there is one: DAGY_TOKEN, or the profile's where the
  /// address is the profile's.
  base::Result<Server> server() const;
  /// A client of it. `unauthenticated` where there is no credential.
  base::Result<ApiClient> client() const;
};

constexpr std::string_view default_url = "http://localhost:8000";

/// `url` as it is kept: without a slash at its end. `invalid` for another than http and https.
base::Result<std::string> checked_url(std::string url);

/// Makes the callback of a command: what it returns becomes the exit code.
template <class Command>
void on_call(Context& context, CLI::App* command, Command action);

/// The command of these words below the app, made with its groups where it is missing; options of
/// the app may stand behind its name.
CLI::App* make_command(Context& context, const std::vector<std::string>& words,
                       std::string_view meaning);

}  // namespace cli

#include "cli/exit_code.h"

template <class Command>
void cli::on_call(Context& context, CLI::App* command, Command action) {
  command->callback([&context, action = std::move(action)]() mutable {
    if constexpr (std::is_same_v<decltype(action()), base::Result<>>) {
      context.exit_code = finish(action());
    } else {  // Result<int>: the command knows its exit code
      base::Result<int> code = action();
      context.exit_code = code ? *code : finish(code.error());
    }
  });
}
