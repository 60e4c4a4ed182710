#include "cli/context.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/ascii.h"

namespace cli {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

base::Result<std::string> checked_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  std::string lower = base::ascii_lower(url);
  bool is_http = lower.starts_with("http://") || lower.starts_with("https://");
  bool has_more = url.find_first_of("?#@ ") != std::string::npos;
  if (!is_http || has_more || lower.ends_with(":/"))
    return base::invalid(fmt::format(
        "'{}' is no address of a server: it must be http:// or https://, host, port and path",
        url));
  return url;
}

std::string Context::profile_name(const Config& config) const {
  if (!profile.empty()) return profile;
  std::string named = variable("DAGY_PROFILE");
  return named.empty() ? config.current : named;
}

base::Result<Server> Context::address(const Profile& chosen) const {
  std::string asked = url.empty() ? variable("DAGY_URL") : url;
  if (asked.empty()) asked = chosen.url.value_or(std::string(default_url));
  Server server;
  server.url = TRY(checked_url(std::move(asked)));
  server.ca_file = ca_file.empty() ? chosen.ca_file.value_or("") : ca_file;
  return server;
}

base::Result<Server> Context::server() const {
  Config config = TRY(read_config());
  std::string name = profile_name(config);
  auto found = config.profiles.find(name);
  bool is_named = !profile.empty() || !variable("DAGY_PROFILE").empty();
  if (found == config.profiles.end() && is_named)
    return base::invalid(fmt::format("there is no profile '{}': dagy config list", name));
  Profile chosen = found == config.profiles.end() ? Profile{} : found->second;
  Server server = TRY(address(chosen));
  server.token = variable("DAGY_TOKEN");
  bool is_own = server.url == TRY(checked_url(chosen.url.value_or(std::string(default_url))));
  if (server.token.empty() && is_own) server.token = chosen.token.value_or("");
  return server;
}

base::Result<ApiClient> Context::client() const {
  Server chosen = TRY(server());
  if (chosen.token.empty())
    return base::Error{base::ErrorCode::unauthenticated,
                       fmt::format("no credential for {}: dagy login, or DAGY_TOKEN", chosen.url)};
  return ApiClient::create(std::move(chosen));
}

CLI::App* make_command(Context& context, const std::vector<std::string>& words,
                       std::string_view meaning) {
  CLI::App* command = &context.app;
  for (const std::string& word : words) {
    std::vector<CLI::App*> known =
        command->get_subcommands([&](const CLI::App* each) { return each->get_name() == word; });
    CLI::App* next = known.empty() ? nullptr : known.front();
    if (next == nullptr) {
      next = command->add_subcommand(word);
      next->fallthrough();
      if (command != &context.app) command->require_subcommand(1);
    }
    command = next;
  }
  command->description(std::string(meaning));
  return command;
}

}  // namespace cli
