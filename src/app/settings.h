// The settings of the server: one table, from which come flags, DAGY_* variables, the configuration
// file and docs/settings.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace app {

struct Settings {
  std::string address = "127.0.0.1";
  int port = 8000;
  std::string data_dir = "dagy-data";
  std::string database_url = "sqlite:";
  int database_connections = base::limits::postgres_connections_default;
  std::string owner_email = "owner@localhost";
  std::string owner_password;
  int access_token_ttl_seconds =
      int(std::chrono::duration_cast<std::chrono::seconds>(base::limits::access_token_ttl).count());
  int rate_limit_per_minute = base::limits::rate_limit_per_minute;
  int rate_limit_burst = base::limits::rate_limit_burst;
  std::string trusted_proxies;
  std::string tls_cert_file;
  std::string tls_key_file;
  int drain_seconds = 30;
  bool allow_unisolated = false;
  std::string master_key_file;
  std::string allowed_paths;
  std::string http_allow;
  std::string http_ca_file;
};

/// One row of the table. Exactly one of the members is set.
struct Setting {
  std::string_view name;  // the variable is DAGY_<NAME>, the flag --<name-with-dashes>
  std::string_view meaning;
  bool has_flag;  // false for what may hold a secret: then the variable is the only way, a text
  std::string Settings::*text = nullptr;
  int Settings::*number = nullptr;
  int minimum = 0;
  int maximum = 0;
  bool Settings::*flag = nullptr;

  std::string variable() const;   // "DAGY_DATA_DIR"
  std::string flag_name() const;  // "--data-dir"
};

const std::vector<Setting>& settings_table();
/// Sets the setting of that flag name without its dashes ("data-dir"). `invalid` for an unknown
/// name, one that has no flag, or a value out of range.
base::Result<> set_from_text(Settings& settings, const std::string& name, const std::string& value);

/// The directories of `allowed_paths`, with links resolved. `invalid` for one that is not an
/// absolute path of a directory that exists, or that is part of the data directory.
base::Result<std::vector<std::string>> allowed_directories(const Settings& settings);
/// Names of DAGY_* variables of this process that no setting has.
std::vector<std::string> unknown_variables();
/// Takes secrets out of this process's environment, so that nothing started later finds them.
void drop_secrets_from_environment();
/// The table in Markdown.
std::string settings_markdown();

}  // namespace app
