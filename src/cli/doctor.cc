#include "cli/doctor.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>

#include "base/clock.h"
#include "base/json_writer.h"
#include "cli/child_program.h"

namespace cli {

namespace {

constexpr auto clock_skew_max = std::chrono::seconds(5);

class Doctor {
 public:
  explicit Doctor(const Context& context) : context_(context) {}

  base::Result<int> examine() {
    check_config();
    if (std::optional<ApiClient> client = check_server()) {
      check_health(*client);
      check_credential(*client);
    }
    check_program("python3", {"python3", "-c", "import sys; sys.exit(sys.version_info < (3, 9))"},
                  "python tasks and flows need Python 3.9 or newer");
    check_program("jq", {"jq", "-n", "empty"}, "transform tasks need it");
    std::string text = "{\"items\":[" + items_ + "]}";
    Document document = TRY(base::JsonDocument::parse(std::move(text)));
    TRY(print_answer(context_.format(), document->root()));
    return code_;
  }

 private:
  void add(std::string_view name, std::string_view status, std::string_view message) {
    if (!items_.empty()) items_ += ',';
    base::JsonWriter writer(items_);
    writer.begin_object().member("check", name).member("status", status);
    writer.member("message", message).end_object();
  }
  void fail(std::string_view name, const base::Error& error) {
    add(name, "failed", error.message);
    if (code_ == 0) code_ = exit_code(error.code);
  }

  void check_config() {
    base::Result<std::string> path = config_path();
    base::Result<Config> config = read_config();
    if (!path || !config) return fail("config", path ? config.error() : path.error());
    bool exists = access(path->c_str(), F_OK) == 0;
    add("config", "ok", exists ? *path + ", for you alone" : "there is no " + *path);
  }

  std::optional<ApiClient> check_server() {
    base::Result<Server> server = context_.server();
    base::Result<ApiClient> client =
        server ? ApiClient::create(*server) : base::Result<ApiClient>(server.error());
    base::Result<Document> live =
        client ? client->call("GET", "/health/live") : base::Result<Document>(client.error());
    if (!live) {
      fail("server", live.error());
      return std::nullopt;
    }
    add("server", "ok", server->url);
    std::optional<base::JsonView> version = (*live)->root().find("version");
    std::string theirs = version && version->is_string() ? version->string() : "unknown";
    bool is_same = theirs == DAGY_VERSION;
    add("version", is_same ? "ok" : "warning",
        is_same ? DAGY_VERSION : fmt::format("this is {}, the server is {}", DAGY_VERSION, theirs));
    return std::move(*client);
  }

  // Also an unhealthy server answers, with 503.
  void check_health(ApiClient& client) {
    base::Result<net::SessionResponse> answer = client.get_raw("/health");
    if (!answer) return fail("health", answer.error());
    auto document = base::JsonDocument::parse(answer->body);
    std::optional<base::JsonView> components, timestamp;
    if (document && (*document)->root().is_object()) {
      components = (*document)->root().find("components");
      timestamp = (*document)->root().find("timestamp");
    }
    if (!components || !components->is_array() || !timestamp || !timestamp->is_string())
      return fail("health", base::internal_error("the answer is not Dagy's"));
    check_clock(timestamp->string());
    for (base::JsonView component : components->elements()) {
      auto name = component.find("name"), status = component.find("status");
      auto message = component.find("message");
      std::string text = message && message->is_string() ? message->string() : "";
      if (!name || !status) continue;
      if (status->string_equals("unhealthy")) {
        fail(name->string(), base::internal_error(text));
      } else {
        add(name->string(), status->string_equals("healthy") ? "ok" : "warning", text);
      }
    }
  }

  void check_clock(std::string_view theirs) {
    std::optional<base::Timestamp> there = base::from_iso8601(theirs);
    if (!there) return;
    auto skew = std::chrono::duration<double>(base::SystemClock().now() - *there);
    bool is_near = skew < clock_skew_max && -skew < clock_skew_max;
    add("clock", is_near ? "ok" : "warning",
        fmt::format("{:+.1f} s from the server's", skew.count()));
  }

  void check_credential(ApiClient& client) {
    if (client.server().token.empty())
      return fail("credential",
                  {base::ErrorCode::unauthenticated, "none: dagy login, or DAGY_TOKEN"});
    base::Result<Document> me = client.call("GET", "/users/me");
    if (!me) return fail("credential", me.error());
    auto email = (*me)->root().find("user_email"), role = (*me)->root().find("role");
    add("credential", "ok",
        fmt::format("{}, {}", email ? email->string() : "", role ? role->string() : ""));
  }

  // What only local runs need is no failure.
  void check_program(std::string_view name, std::vector<std::string> words, std::string_view need) {
    base::Result<int> code = run_program(std::move(words), inherited_variables());
    bool works = code && *code == 0;
    add(name, works ? "ok" : "warning",
        works ? "" : fmt::format("not here; for runs on this machine: {}", need));
  }

  const Context& context_;
  std::string items_;
  int code_ = 0;
};

}  // namespace

void add_doctor_command(Context& context) {
  CLI::App* doctor =
      make_command(context, {"doctor"}, "Check configuration, server, credential and this machine");
  on_call(context, doctor, [&context] { return Doctor(context).examine(); });
}

}  // namespace cli
