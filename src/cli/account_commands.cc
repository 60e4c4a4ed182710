#include "cli/account_commands.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/limits.h"
#include "cli/files.h"

namespace cli {

namespace {

constexpr std::string_view access_token_prefix = "dagy_at_";

struct LoginOrder {
  std::string email;
  std::string org_id;
  std::string password_file;
  bool with_token = false;
};

// No echo while it lives, where standard input is a terminal.
class SilentTerminal {
 public:
  SilentTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_silent_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  ~SilentTerminal() {
    if (is_silent_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool is_silent_ = false;
};

base::Result<std::string> read_line(std::string_view what) {
  std::string line;
  for (int c = std::getchar(); c != '\n'; c = std::getchar()) {
    if (c == EOF && line.empty()) return base::invalid(fmt::format("no {} was given", what));
    if (c == EOF) break;
    line += static_cast<char>(c);
    if (line.size() > base::limits::text_bytes_max)
      return base::invalid(fmt::format("the {} is too long", what));
  }
  return line;
}

// A line of standard input; on a terminal asked for, without echo.
base::Result<std::string> ask_secret(std::string_view what) {
  if (isatty(STDIN_FILENO) == 0) return read_line(what);
  base::Result<std::string> line = [&] {
    SilentTerminal silent;  // before the prompt: it drops what was typed so far
    fmt::print(stderr, "{}: ", what);
    return read_line(what);
  }();
  fmt::print(stderr, "\n");
  return line;
}

base::Result<std::string> ask(std::string_view what, const std::string& suggestion) {
  fmt::print(stderr, "{} [{}]: ", what, suggestion);
  std::string line = TRY(read_line(what));
  return line.empty() ? suggestion : line;
}

base::Result<std::string> password_of(const LoginOrder& order) {
  if (order.password_file.empty()) return ask_secret("password");
  std::string text = TRY(read_file(order.password_file, base::limits::password_bytes_max));
  return text.substr(0, text.find('\n'));
}

base::Result<> log_in_with_password(const LoginOrder& order, ApiClient& client, Profile& profile) {
  std::string email = order.email;
  if (email.empty()) {
    std::string suggestion = profile.email.value_or("owner@localhost");
    email = isatty(STDIN_FILENO) != 0 ? TRY(ask("e-mail", suggestion)) : suggestion;
  }
  std::string password = TRY(password_of(order)), body;
  base::JsonWriter writer(body);
  writer.begin_object().member("email", email).member("password", password);
  if (!order.org_id.empty()) writer.member("org_id", order.org_id);
  writer.end_object();
  Document answer = TRY(client.call("POST", "/auth/login", std::move(body)));
  auto token = answer->root().find("access_token"), end = answer->root().find("expires_at");
  if (!token || !end) return base::internal_error("the answer to the login has no token");
  profile.email = email;
  profile.token = token->string();
  profile.expires_at = end->string();
  return {};
}

// An API key, or a token that was made elsewhere.
base::Result<> log_in_with_token(ApiClient& client, Profile& profile) {
  std::string token = TRY(ask_secret("token"));
  client.set_token(token);
  Document me = TRY(client.call("GET", "/users/me"));
  auto email = me->root().find("user_email");
  if (email && email->is_string()) profile.email = email->string();
  profile.token = token;
  profile.expires_at.reset();
  return {};
}

base::Result<> log_in(const Context& context, const LoginOrder& order) {
  Config config = TRY(read_config());
  std::string name = context.profile_name(config);
  if (!base::name_rule.holds(name))
    return base::invalid(fmt::format("--profile {}", base::name_rule.message));
  Profile profile = config.profiles[name];
  Server server = TRY(context.address(profile));
  profile.url = server.url;
  if (!server.ca_file.empty()) profile.ca_file = server.ca_file;
  ApiClient client = TRY(ApiClient::create(std::move(server)));
  TRY(order.with_token ? log_in_with_token(client, profile)
                       : log_in_with_password(order, client, profile));
  config.profiles[name] = profile;
  if (!config.profiles.contains(config.current)) config.current = name;
  TRY(write_config(config));
  fmt::print(stderr, "logged in at {} as {}\n", *profile.url, profile.email.value_or("an API key"));
  return {};
}

base::Result<> log_out(const Context& context) {
  Config config = TRY(read_config());
  std::string name = context.profile_name(config);
  auto profile = config.profiles.find(name);
  if (profile == config.profiles.end() || !profile->second.token)
    return base::invalid(fmt::format("profile '{}' has no credential", name));
  base::Result<Document> ended = base::internal_error("");
  bool is_access_token = profile->second.token->starts_with(access_token_prefix);
  if (is_access_token) {
    Server server{profile->second.url.value_or(std::string(default_url)), *profile->second.token,
                  profile->second.ca_file.value_or("")};
    ApiClient client = TRY(ApiClient::create(std::move(server)));
    ended = client.call("POST", "/auth/logout");
  }
  profile->second.token.reset();
  profile->second.expires_at.reset();
  TRY(write_config(config));
  bool is_over =
      !is_access_token || ended || ended.error().code == base::ErrorCode::unauthenticated;
  if (is_over) return {};
  fmt::print(stderr, "forgotten here, but the server could not be told:\n");
  return ended.error();
}

// ---- config ----

// The members of a profile that people may read and write by name.
std::optional<std::string> Profile::*member_of(const std::string& key) {
  if (key == "url") return &Profile::url;
  if (key == "email") return &Profile::email;
  if (key == "ca_file" || key == "ca-file") return &Profile::ca_file;
  return nullptr;
}

base::Error unknown_key(const std::string& key) {
  if (key == "token")
    return base::invalid(
        "token: a credential is neither shown nor taken as an argument: dagy login");
  return base::invalid(fmt::format("'{}' must be one of: url, email, ca_file", key));
}

base::Result<> list_profiles(const Context& context) {
  Config config = TRY(read_config());
  std::string text, current = context.profile_name(config);
  base::JsonWriter writer(text);
  writer.begin_object().key("items").begin_array();
  auto member = [&](std::string_view name, const std::optional<std::string>& value) {
    writer.key(name);
    value ? writer.string(*value) : writer.null();
  };
  for (const auto& [name, profile] : config.profiles) {
    writer.begin_object().member("profile", name).member("is_current", name == current);
    member("url", profile.url);
    member("email", profile.email);
    member("expires_at", profile.expires_at);
    member("ca_file", profile.ca_file);
    writer.member("has_credential", profile.token.has_value()).end_object();
  }
  writer.end_array().end_object();
  Document document = TRY(base::JsonDocument::parse(std::move(text)));
  return print_answer(context.format(), document->root());
}

base::Result<> get_key(const Context& context, const std::string& key) {
  std::optional<std::string> Profile::*member = member_of(key);
  if (member == nullptr) return unknown_key(key);
  Config config = TRY(read_config());
  std::string name = context.profile_name(config);
  const std::optional<std::string>& value = config.profiles[name].*member;
  if (!value) return base::not_found(fmt::format("profile '{}' has no {}", name, key));
  return print_text(*value + '\n');
}

base::Result<> set_key(const Context& context, const std::string& key, const std::string& value) {
  std::optional<std::string> Profile::*member = member_of(key);
  if (member == nullptr) return unknown_key(key);
  Config config = TRY(read_config());
  std::string name = context.profile_name(config);
  if (!base::name_rule.holds(name))
    return base::invalid(fmt::format("--profile {}", base::name_rule.message));
  Profile& profile = config.profiles[name];
  std::string checked = key == "url" ? TRY(checked_url(value)) : value;
  if (key == "url" && profile.url != checked) {  // a credential goes to its own server only
    profile.token.reset();
    profile.expires_at.reset();
  }
  profile.*member = checked;
  return write_config(config);
}

base::Result<> use_profile(const std::string& name) {
  Config config = TRY(read_config());
  if (!config.profiles.contains(name))
    return base::not_found(fmt::format("there is no profile '{}': dagy config list", name));
  config.current = name;
  return write_config(config);
}

void add_config_commands(Context& context) {
  CLI::App* list = make_command(context, {"config", "list"}, "List the profiles");
  on_call(context, list, [&context] { return list_profiles(context); });

  auto key = std::make_shared<std::string>(), value = std::make_shared<std::string>();
  CLI::App* get = make_command(context, {"config", "get"}, "Print a value of the profile");
  get->add_option("key", *key, "url, email or ca_file")->required()->type_name("");
  on_call(context, get, [&context, key] { return get_key(context, *key); });

  CLI::App* set = make_command(context, {"config", "set"}, "Change a value of the profile");
  set->add_option("key", *key, "url, email or ca_file")->required()->type_name("");
  set->add_option("value", *value)->required()->type_name("");
  on_call(context, set, [&context, key, value] { return set_key(context, *key, *value); });

  CLI::App* use = make_command(context, {"config", "use"}, "Choose the profile for what follows");
  use->add_option("profile", *value)->required()->type_name("");
  on_call(context, use, [value] { return use_profile(*value); });
  make_command(context, {"config"}, "Profiles in ~/.dagy/config.yaml");
}

}  // namespace

void add_account_commands(Context& context) {
  auto order = std::make_shared<LoginOrder>();
  CLI::App* login = make_command(
      context, {"login"},
      "Sign in and keep the credential in the profile; the password is asked for, or a line of "
      "standard input");
  login->add_option("--email", order->email, "of the account; asked for on a terminal");
  login->add_option("--org-id", order->org_id, "organization, for members of several");
  login->add_option("--password-file", order->password_file, "file whose first line it is");
  login->add_flag("--with-token", order->with_token,
                  "an API key or token instead of a password, asked for likewise");
  on_call(context, login, [&context, order] { return log_in(context, *order); });

  CLI::App* logout = make_command(context, {"logout"}, "End the profile's credential");
  on_call(context, logout, [&context] { return log_out(context); });
  add_config_commands(context);
}

}  // namespace cli
