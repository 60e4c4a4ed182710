#include "cli/config.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/limits.h"
#include "base/yaml.h"
#include "cli/files.h"

namespace cli {

using base::field;
using base::Fields;

const Fields& Profile::fields() {
  using S = Profile;
  static const Fields fields("Profile", {field<&S::url>("url", "of the server"),
                                         field<&S::email>("email", "of the account"),
                                         field<&S::token>("token", "credential"),
                                         field<&S::expires_at>("expires_at", "end of the token"),
                                         field<&S::ca_file>("ca_file", "certificate authorities")});
  return fields;
}

const Fields& Config::fields() {
  using S = Config;
  static const Fields fields("Config",
                             {field<&S::current>("current", "profile in use").rule(base::name_rule),
                              field<&S::profiles>("profiles", "by name")});
  return fields;
}

namespace {

// Absent members are left out.
std::string text_of(const Config& config) {
  std::string json = base::write_struct(config), lean;
  auto document = base::JsonDocument::parse(std::move(json));
  base::append_canonical_json(lean, (*document)->root(), 3);
  auto lean_document = base::JsonDocument::parse(std::move(lean));
  return base::json_to_yaml((*lean_document)->root());
}

base::Error refuse(const std::string& path, std::string_view message) {
  return base::invalid(fmt::format("{}: {}", path, message));
}

base::Result<> check_owner(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return refuse(path, std::strerror(errno));
  base::Error error = refuse(path, "");
  error.code = base::ErrorCode::forbidden;
  if (status.st_uid != geteuid()) {
    error.message += "belongs to another user";
    return error;
  }
  if ((status.st_mode & 077) == 0) return {};
  error.message += fmt::format("others may read it, and it holds credentials: chmod 600 {}", path);
  return error;
}

}  // namespace

base::Result<std::string> config_path() {
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0')
    return base::invalid("HOME is not set, so there is no ~/.dagy/config.yaml");
  return std::string(home) + "/.dagy/config.yaml";
}

base::Result<Config> read_config() {
  std::string path = TRY(config_path());
  if (access(path.c_str(), F_OK) != 0 && errno == ENOENT) return Config{};
  TRY(check_owner(path));
  std::string text = TRY(read_file(path, base::limits::config_bytes_max));
  base::Result<std::string> json = base::yaml_to_json(text);
  if (!json) return refuse(path, json.error().message);
  auto document = base::JsonDocument::parse(std::move(*json));
  if (!document) return refuse(path, document.error().message);
  base::Result<Config> config = base::read_struct<Config>((*document)->root());
  if (!config) return refuse(path, config.error().message);
  return config;
}

base::Result<> write_config(const Config& config) {
  std::string path = TRY(config_path());
  std::string directory = path.substr(0, path.rfind('/'));
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return refuse(directory, std::strerror(errno));
  if (chmod(directory.c_str(), 0700) != 0) return refuse(directory, std::strerror(errno));
  std::string text = text_of(config), next = path + ".XXXXXX";
  int file = mkostemp(next.data(), O_CLOEXEC);  // mode 0600
  if (file < 0) return refuse(next, std::strerror(errno));
  bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                 fsync(file) == 0;
  written = close(file) == 0 && written && rename(next.c_str(), path.c_str()) == 0;
  if (written) return {};
  base::Error error = refuse(path, std::strerror(errno));
  unlink(next.c_str());
  return error;
}

}  // namespace cli
