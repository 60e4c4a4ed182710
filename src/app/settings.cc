#include "app/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <sstream>

extern char** environ;

namespace app {

namespace {

Setting text(std::string_view name, std::string Settings::*member, bool has_flag,
             std::string_view meaning) {
  return {.name = name, .meaning = meaning, .has_flag = has_flag, .text = member};
}

Setting number(std::string_view name, int Settings::*member, int minimum, int maximum,
               std::string_view meaning) {
  return {.name = name,
          .meaning = meaning,
          .has_flag = true,
          .number = member,
          .minimum = minimum,
          .maximum = maximum};
}

std::string upper(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

}  // namespace

std::string Setting::variable() const {
  return "DAGY_" + upper(name);
}

std::string Setting::flag_name() const {
  std::string flag_text = "--" + std::string(name);
  std::replace(flag_text.begin(), flag_text.end(), '_', '-');
  return flag_text;
}

const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table = {
      text("address", &Settings::address, true, "address to listen on"),
      number("port", &Settings::port, 0, 65535, "port to listen on; 0 takes any free one"),
      text("data_dir", &Settings::data_dir, true,
           "directory of the database, objects and working files; made with mode 0700"),
      text("database_url", &Settings::database_url, false,
           "`sqlite:` (dagy.db in the data directory), `sqlite:<path>`, or PostgreSQL: "
           "`postgresql://user:password@host:port/database`"),
      number("database_connections", &Settings::database_connections, 1,
             base::limits::postgres_connections_max,
             "PostgreSQL: connections for requests, beside the engine's and the heartbeat's"),
      text("owner_email", &Settings::owner_email, true, "first start: the owner's e-mail"),
      text("owner_password", &Settings::owner_password, false,
           "first start: the owner's password; absent: a one-time password is printed"),
      number("access_token_ttl_seconds", &Settings::access_token_ttl_seconds, 1, 31'622'400,
             "life of an access token"),
      number("rate_limit_per_minute", &Settings::rate_limit_per_minute, 0, 1'000'000'000,
             "requests a minute of one client; 0 switches the limit off"),
      number("rate_limit_burst", &Settings::rate_limit_burst, 1, 1'000'000'000,
             "requests that a client may have in hand"),
      text("trusted_proxies", &Settings::trusted_proxies, true,
           "addresses and networks, separated by commas, of proxies whose X-Forwarded-For names "
           "the client"),
      text("tls_cert_file", &Settings::tls_cert_file, true,
           "PEM file of the server's certificate and those that lead to its authority; with it the "
           "server speaks TLS only"),
      text("tls_key_file", &Settings::tls_key_file, true, "PEM file of the certificate's key"),
      number("drain_seconds", &Settings::drain_seconds, 0, 86400,
             "after SIGTERM: time for requests and running tasks to end"),
      {.name = "allow_unisolated",
       .meaning = "1: allow a second organization although tasks are not isolated from each other",
       .has_flag = true,
       .flag = &Settings::allow_unisolated},
      text("master_key_file", &Settings::master_key_file, true,
           "file of the key that seals passwords of connections, made with mode 0600 at first; "
           "`master.key` in the data directory when absent. All servers of one database need the "
           "same"),
      text("allowed_paths", &Settings::allowed_paths, true,
           "directories, separated by colons, that every task may see and change, as far as their "
           "permissions allow its user"),
      text("http_allow", &Settings::http_allow, true,
           "host:port entries, separated by commas, that flows may call although their address is "
           "not public"),
      text("http_ca_file", &Settings::http_ca_file, true,
           "PEM file of the certificate authorities that calls trust; absent: the system's"),
  };
  return table;
}

base::Result<> set_from_text(Settings& settings, const std::string& name,
                             const std::string& value) {
  auto setting = std::find_if(
      settings_table().begin(), settings_table().end(),
      [&](const Setting& each) { return each.has_flag && each.flag_name() == "--" + name; });
  if (setting == settings_table().end())
    return base::invalid(fmt::format("configuration file: unknown setting '{}'", name));
  if (setting->text != nullptr) {
    settings.*setting->text = value;
  } else if (setting->number != nullptr) {
    int number = 0;
    auto read = std::from_chars(value.data(), value.data() + value.size(), number);
    bool whole = read.ec == std::errc() && read.ptr == value.data() + value.size();
    if (!whole || number < setting->minimum || number > setting->maximum)
      return base::invalid(fmt::format("configuration file: {} must be from {} to {}", name,
                                       setting->minimum, setting->maximum));
    settings.*setting->number = number;
  } else if (value == "true" || value == "1" || value == "false" || value == "0") {
    settings.*setting->flag = value == "true" || value == "1";
  } else {
    return base::invalid(fmt::format("configuration file: {} must be true or false", name));
  }
  return {};
}

base::Result<std::vector<std::string>> allowed_directories(const Settings& settings) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path data = fs::weakly_canonical(settings.data_dir, error);
  std::vector<std::string> directories;
  std::istringstream list(settings.allowed_paths);
  for (std::string entry; std::getline(list, entry, ':');) {
    auto refuse = [&](std::string_view why) {
      return base::invalid(fmt::format("DAGY_ALLOWED_PATHS: '{}' {}", entry, why));
    };
    if (!entry.starts_with('/')) return refuse("is not an absolute path");
    fs::path path = fs::canonical(entry, error);
    if (error || !fs::is_directory(path, error)) return refuse("is not a directory that exists");
    if (path == path.root_path()) return refuse("is the whole file system");
    auto [at, rest] = std::mismatch(data.begin(), data.end(), path.begin(), path.end());
    if (at == data.end()) return refuse("is part of the data directory");
    directories.push_back(path.string());
    if (directories.size() > base::limits::allowed_paths_max)
      return refuse(fmt::format("is one more than {}", base::limits::allowed_paths_max));
  }
  return directories;
}

namespace {

// Variables of the client, and where the configuration file is.
constexpr std::string_view other_variables[] = {"DAGY_CONFIG", "DAGY_URL", "DAGY_TOKEN",
                                                "DAGY_PROFILE"};

}  // namespace

std::vector<std::string> unknown_variables() {
  std::vector<std::string> unknown;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    std::string_view pair(*entry);
    if (!pair.starts_with("DAGY_")) continue;
    std::string name(pair.substr(0, pair.find('=')));
    bool known = std::any_of(settings_table().begin(), settings_table().end(),
                             [&](const Setting& setting) { return setting.variable() == name; });
    known = known || std::ranges::find(other_variables, name) != std::end(other_variables);
    if (!known) unknown.push_back(name);
  }
  return unknown;
}

void drop_secrets_from_environment() {
  for (const Setting& setting : settings_table())
    if (!setting.has_flag) unsetenv(setting.variable().c_str());
}

namespace {

std::string default_of(const Setting& setting) {
  Settings defaults;
  if (setting.text != nullptr) return defaults.*setting.text;
  if (setting.number != nullptr) return std::to_string(defaults.*setting.number);
  return defaults.*setting.flag ? "1" : "0";
}

}  // namespace

std::string settings_markdown() {
  std::string out =
      "| variable | flag, and name in the file | default | range | meaning |\n"
      "|---|---|---|---|---|\n";
  for (const Setting& setting : settings_table()) {
    std::string range =
        setting.number != nullptr ? fmt::format("{} to {}", setting.minimum, setting.maximum) : "";
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.variable(),
                       setting.has_flag ? "`" + setting.flag_name() + "`" : "",
                       default_of(setting).empty() ? "" : "`" + default_of(setting) + "`", range,
                       setting.meaning);
  }
  return out;
}

}  // namespace app
