// The file of profiles, ~/.dagy/config.yaml: which servers, and the credential for each. Only its
// owner may read it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/fields.h"

namespace cli {

struct Profile {
  std::optional<std::string> url;
  std::optional<std::string> email;
  std::optional<std::string> token;
  std::optional<std::string> expires_at;  // of the token, ISO 8601
  std::optional<std::string> ca_file;
  static const base::Fields& fields();
};

struct Config {
  std::string current = "default";  // the profile that is used when none is named
  std::map<std::string, Profile> profiles;
  static const base::Fields& fields();
};

/// `invalid` where HOME is not set.
base::Result<std::string> config_path();
/// An empty one where there is no file. `invalid` tells what is wrong with it, `forbidden` that
/// others may read it or that it is somebody else's.
base::Result<Config> read_config();
/// Replaces the file at once, mode 0600 in a directory of mode 0700.
base::Result<> write_config(const Config& config);

}  // namespace cli
