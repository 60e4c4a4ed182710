#include "cli/run_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/json_writer.h"
#include "base/limits.h"
#include "cli/artifact_upload.h"
#include "cli/event_stream.h"
#include "cli/files.h"
#include "cli/flow_file.h"
#include "cli/interrupts.h"
#include "cli/run_display.h"

namespace cli {

namespace {

struct RunOrder {
  std::string file;
  std::vector<std::string> assignments;  // "name=value"
  std::string parameters;                // JSON or @FILE
  bool on_server = false;
  LocalOptions local;
};

struct DeployOrder {
  std::string file;
  std::string name;
};

struct LogOrder {
  std::string run_id;
  bool follows = false;
};

// An object with members put in place of others of their name.
std::string with_members(base::JsonView object, const std::map<std::string, std::string>& members) {
  std::string text;
  base::JsonWriter writer(text);
  writer.begin_object();
  for (base::JsonView::Member member : object.members()) {
    std::string name = member.name.string();
    if (!members.contains(name)) writer.key(name).raw(member.value.raw());
  }
  for (const auto& [name, json] : members) writer.key(name).raw(json);
  writer.end_object();
  return text;
}

std::string json_string(std::string_view text) {
  std::string json;
  base::append_json_string(json, text);
  return json;
}

base::Result<std::string> parameters_of(const RunOrder& order) {
  std::string text = order.parameters.empty() ? "{}" : TRY(argument_text(order.parameters));
  auto document = base::JsonDocument::parse(std::move(text));
  if (!document) return base::invalid("--parameters must be JSON: " + document.error().message);
  if (!(*document)->root().is_object()) return base::invalid("--parameters must be an object");
  std::map<std::string, std::string> assigned;
  for (const std::string& assignment : order.assignments) {
    std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0)
      return base::invalid(fmt::format("-p {}: must be name=value", assignment));
    std::string value = assignment.substr(equals + 1);
    bool is_json = bool(base::JsonDocument::parse(value));
    assigned[assignment.substr(0, equals)] = is_json ? value : json_string(value);
  }
  return with_members((*document)->root(), assigned);
}

base::Result<Document> register_flow(ApiClient& client, const FlowFile& flow,
                                     const std::optional<std::string>& deployment) {
  Document request = TRY(base::JsonDocument::parse(flow.registration));
  std::map<std::string, std::string> members;
  if (flow.artifact_path)
    members["artifact_uri"] = json_string(TRY(upload_artifact(client, *flow.artifact_path)));
  if (deployment) members["deployment_name"] = json_string(*deployment);
  return client.call("POST", "/flows", with_members(request->root(), members));
}

base::Result<std::string> text_of(base::JsonView object, std::string_view name) {
  std::optional<base::JsonView> value = object.is_object() ? object.find(name) : std::nullopt;
  if (value && value->is_string()) return value->string();
  return base::Error{base::ErrorCode::upstream, fmt::format("the answer has no {}", name)};
}

base::Result<Document> get_run(ApiClient& client, const std::string& run_id) {
  return client.call("GET", "/runs/" + percent_encoded(run_id));
}

RunListener listener_of(RunDisplay& display) {
  return {[&](std::string_view type, base::JsonView data) { display.hear(type, data); },
          [&] { display.rest(); }};
}

// Follows a run to its end and shows it on `stream`; a signal cancels it, and then its end is
// waited for.
base::Result<Document> follow_to_end(ApiClient& client, const std::string& run_id,
                                     RunDisplay& display) {
  RunListener listener = listener_of(display);
  auto end = TRY(follow_run(client, run_id, listener, [] { return Interrupts::signal() != 0; }));
  if (end == FollowEnd::interrupted) {
    auto cancelled = client.call("POST", "/runs/" + percent_encoded(run_id) + "/cancel",
                                 R"({"reason":"interrupted at the command line"})");
    bool is_over = cancelled || cancelled.error().code == base::ErrorCode::conflict;
    if (!is_over) return cancelled.error();
    RunListener quiet = {[](std::string_view, base::JsonView) {}};
    TRY(follow_run(client, run_id, quiet, [] { return false; }));
  }
  return get_run(client, run_id);
}

base::Result<> print_run(const Context& context, base::JsonView run) {
  if (context.format() != Format::table) return print_answer(context.format(), run);
  std::optional<base::JsonView> output = run.find("output"), reference = run.find("output_ref");
  if (output && !output->is_null()) return print_text(pretty_json(*output));
  if (reference && reference->is_object())
    fmt::print(stderr, "the output is too large to be shown: {}\n", reference->raw());
  return {};
}

base::Result<int> run_on(const Context& context, ApiClient& client, const FlowFile& flow,
                         const std::string& parameters) {
  Document registered = TRY(register_flow(client, flow, std::nullopt));
  std::string name = TRY(text_of(registered->root(), "flow_name"));
  std::string version = TRY(text_of(registered->root(), "flow_version"));
  std::string body;
  base::JsonWriter writer(body);
  writer.begin_object().member("flow_name", name).member("flow_version", version);
  writer.key("parameters").raw(parameters).end_object();
  Document accepted = TRY(client.call("POST", "/runs", std::move(body)));
  std::string run_id = TRY(text_of(accepted->root(), "run_id"));
  std::string slug = TRY(text_of(accepted->root(), "run_slug"));
  fmt::print(stderr, "{} version {}: run {} ({})\n", name, version, run_id, slug);
  RunDisplay display(stderr);
  display.begin(TRY(get_run(client, run_id))->root());
  Document run = TRY(follow_to_end(client, run_id, display));
  display.end(run->root());
  TRY(print_run(context, run->root()));
  if (Interrupts::signal() != 0) return Interrupts::exit_code();
  return TRY(text_of(run->root(), "status")) == "SUCCEEDED" ? 0 : 1;
}

base::Result<int> run_file(const Context& context, RunOrder& order) {
  std::string parameters = TRY(parameters_of(order));
  Interrupts interrupts;
  ScratchDirectory scratch = TRY(ScratchDirectory::create());
  auto loaded = load_flow_file(order.file, context.program.python_sdk, scratch.path());
  if (Interrupts::signal() != 0) return Interrupts::exit_code();
  FlowFile flow = TRY(std::move(loaded));
  if (order.on_server) {
    ApiClient client = TRY(context.client());
    return run_on(context, client, flow, parameters);
  }
  if (order.local.data_dir.empty()) order.local.data_dir = scratch.file("data");
  std::unique_ptr<LocalServer> server = TRY(context.program.start_local(order.local));
  ApiClient client = TRY(ApiClient::create(server->address()));
  return run_on(context, client, flow, parameters);
}

base::Result<> deploy_file(const Context& context, const DeployOrder& order) {
  ScratchDirectory scratch = TRY(ScratchDirectory::create());
  FlowFile flow = TRY(load_flow_file(order.file, context.program.python_sdk, scratch.path()));
  ApiClient client = TRY(context.client());
  std::optional<std::string> name;
  Document request = TRY(base::JsonDocument::parse(flow.registration));
  if (!order.name.empty()) {
    name = order.name;
  } else if (!request->root().find("deployment_name")) {
    auto spec = request->root().find("flow_spec");
    auto flow_name = spec->find("name");  // the server tells what is wrong with another
    if (flow_name && flow_name->is_string()) name = flow_name->string();
  }
  Document answer = TRY(register_flow(client, flow, name));
  if (context.format() != Format::table) return print_answer(context.format(), answer->root());
  return print_text(fmt::format("{} version {} is deployed as {}\n",
                                TRY(text_of(answer->root(), "flow_name")),
                                TRY(text_of(answer->root(), "flow_version")),
                                TRY(text_of(answer->root(), "deployment_name"))));
}

base::Result<int> watch_run(const Context& context, const std::string& run_id) {
  ApiClient client = TRY(context.client());
  Document run = TRY(get_run(client, run_id));
  RunDisplay display(stdout);
  display.begin(run->root());
  bool is_plain = context.format() == Format::table;
  RunListener quiet = {[](std::string_view, base::JsonView) {}};
  TRY(follow_run(client, run_id, is_plain ? listener_of(display) : quiet, [] { return false; }));
  run = TRY(get_run(client, run_id));
  if (is_plain) {
    display.end(run->root());
  } else {
    TRY(print_answer(context.format(), run->root()));
  }
  return TRY(text_of(run->root(), "status")) == "SUCCEEDED" ? 0 : 1;
}

// ---- logs ----

base::Result<> print_line(const Context& context, base::JsonView line) {
  if (context.format() == Format::json) return print_text(std::string(line.raw()) + '\n');
  if (context.format() == Format::yaml) {
    TRY(print_text("---\n"));
    return print_answer(Format::yaml, line);
  }
  std::string task = TRY(text_of(line, "task_run_id")), message = TRY(text_of(line, "message"));
  task.erase(0, task.find(':') + 1);
  if (isatty(STDOUT_FILENO) != 0) message = printable(message);
  return print_text(fmt::format("{}  {}  {}\n", TRY(text_of(line, "timestamp")), task, message));
}

base::Result<> print_logs(const Context& context, const LogOrder& order) {
  ApiClient client = TRY(context.client());
  if (order.follows) {
    TRY(get_run(client, order.run_id));
    base::Result<> printed;
    RunListener listener = {[&](std::string_view type, base::JsonView data) {
      if (type == "log" && printed) printed = print_line(context, data);
    }};
    TRY(follow_run(client, order.run_id, listener, [&] { return !printed; }));
    return printed;
  }
  std::string token;
  do {
    std::string target = fmt::format("/runs/{}/logs?limit={}", percent_encoded(order.run_id),
                                     base::limits::page_items_max);
    if (!token.empty()) target += "&next_token=" + percent_encoded(token);
    Document page = TRY(client.call("GET", target));
    for (base::JsonView line : page->root().find("items")->elements())
      TRY(print_line(context, line));
    std::optional<base::JsonView> next = page->root().find("next_token");
    token = next && next->is_string() ? next->string() : "";
  } while (!token.empty());
  return {};
}

void add_run_command(Context& context) {
  auto order = std::make_shared<RunOrder>();
  CLI::App* run = make_command(
      context, {"run"},
      "Run a flow file here, without a server: progress on standard error, the output on standard "
      "output; Ctrl-C cancels it");
  run->add_option("file", order->file, "FILE.json, FILE.yaml, FILE.py or FILE.py:FLOW")
      ->required()
      ->type_name("");
  run->add_option("-p,--parameter", order->assignments, "the value is JSON, or else text")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  run->add_option("--parameters", order->parameters, "an object with several")
      ->type_name("JSON|@FILE");
  CLI::Option* on_server = run->add_flag("--server", order->on_server,
                                         "run it on the profile's server instead, and follow it");
  run->add_option("--data-dir", order->local.data_dir,
                  "directory to keep, instead of one that goes with the run")
      ->excludes(on_server);
  run->add_option("--allowed-paths", order->local.allowed_paths,
                  "directories, separated by colons, that tasks may see and change")
      ->excludes(on_server);
  run->add_option("--http-allow", order->local.http_allow,
                  "host:port entries, separated by commas, that the flow may call although their "
                  "address is not public")
      ->excludes(on_server);
  on_call(context, run, [&context, order] { return run_file(context, *order); });
}

}  // namespace

void add_run_commands(Context& context) {
  add_run_command(context);
  auto deploy_order = std::make_shared<DeployOrder>();
  CLI::App* deploy = make_command(context, {"deploy"}, "Register a flow file and deploy it");
  deploy->add_option("file", deploy_order->file, "as of dagy run")->required()->type_name("");
  deploy->add_option("--name", deploy_order->name,
                     "of the deployment; else the file's or the flow's");
  on_call(context, deploy,
          [&context, deploy_order] { return deploy_file(context, *deploy_order); });

  auto watched = std::make_shared<std::string>();
  CLI::App* watch =
      make_command(context, {"runs", "watch"}, "Follow a run to its end, also across restarts");
  watch->add_option("run_id", *watched)->required()->type_name("");
  on_call(context, watch, [&context, watched] { return watch_run(context, *watched); });

  auto log_order = std::make_shared<LogOrder>();
  CLI::App* logs = make_command(context, {"logs"}, "Print what the tasks of a run wrote");
  logs->add_option("run_id", log_order->run_id)->required()->type_name("");
  logs->add_flag("-f,--follow", log_order->follows, "go on until the run has ended");
  on_call(context, logs, [&context, log_order] { return print_logs(context, *log_order); });
}

}  // namespace cli
