#include "cli/resource_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "cli/files.h"

namespace cli {

namespace {

constexpr std::string_view body_option = "--body";

/// What the command line gave one operation.
struct Arguments {
  std::vector<std::string> path;
  std::map<std::string, std::vector<std::string>> query;  // by field, as given
  std::map<std::string, std::vector<std::string>> body;
  std::string whole_body;  // --body
  std::string idempotency_key;
  bool wants_all = false;
};

std::string flag_name(std::string_view field) {
  std::string name(field);
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::string hint(FlagKind kind, bool is_hidden) {
  if (is_hidden) return "@FILE";
  switch (kind) {
    case FlagKind::boolean:
      return "true|false";
    case FlagKind::json_scalar:
      return "NUMBER";
    case FlagKind::json:
      return "JSON|@FILE";
    default:
      return "TEXT";
  }
}

base::Error wrong_flag(const base::Field& field, std::string_view message) {
  return base::invalid(fmt::format("{} {}", flag_name(field.name), message));
}

base::Result<> write_value(base::JsonWriter& to, const base::Field& field, FlagKind kind,
                           const std::vector<std::string>& given) {
  if (kind == FlagKind::text_list) {
    to.begin_array();
    for (const std::string& each : given) to.string(TRY(argument_text(each)));
    to.end_array();
    return {};
  }
  std::string text = TRY(argument_text(given.back()));
  if (kind == FlagKind::text) {
    to.string(text);
    return {};
  }
  auto document = base::JsonDocument::parse(text);
  if (!document) return wrong_flag(field, "must be JSON: " + document.error().message);
  base::JsonType type = (*document)->root().type();
  if (kind == FlagKind::boolean && type != base::JsonType::boolean)
    return wrong_flag(field, "must be true or false");
  if (kind == FlagKind::json_scalar && type != base::JsonType::number)
    return wrong_flag(field, "must be a number");
  to.raw((*document)->text());
  return {};
}

base::Result<std::string> body_of(const Operation& operation, const Arguments& arguments) {
  if (!arguments.whole_body.empty()) {
    std::string text = TRY(argument_text(arguments.whole_body));
    auto document = base::JsonDocument::parse(text);
    if (!document)
      return base::invalid(
          fmt::format("{} must be JSON: {}", body_option, document.error().message));
    return text;
  }
  std::string text;
  base::JsonWriter writer(text);
  writer.begin_object();
  for (const base::Field& field : operation.body->list()) {
    auto given = arguments.body.find(std::string(field.name));
    if (given == arguments.body.end() || given->second.empty()) continue;
    if (is_secret(operation, field) && !given->second.back().starts_with('@'))
      return wrong_flag(field,
                        "is a secret, which others could read here: give @FILE, or @- for "
                        "standard input");
    writer.key(field.name);
    TRY(write_value(writer, field, flag_kind(field), given->second));
  }
  writer.end_object();
  return text;
}

std::string target_of(const Operation& operation, const Arguments& arguments,
                      std::string_view next_token) {
  std::string target;
  std::size_t parameter = 0;
  std::string_view rest = operation.path;
  while (!rest.empty()) {
    std::size_t open = std::min(rest.find('{'), rest.size());
    target += rest.substr(0, open);
    rest.remove_prefix(open);
    if (rest.empty()) break;
    target += percent_encoded(arguments.path[parameter++]);
    rest.remove_prefix(rest.find('}') + 1);
  }
  char separator = '?';
  auto append = [&](const std::string& name, std::string_view value) {
    target += std::exchange(separator, '&');
    target += name + '=' + percent_encoded(value);
  };
  for (const auto& [name, values] : arguments.query)
    if (!values.empty() && (name != "next_token" || next_token.empty()))
      append(name, values.back());
  if (!next_token.empty()) append("next_token", next_token);
  return target;
}

std::string next_token_of(base::JsonView answer) {
  std::optional<base::JsonView> token =
      answer.is_object() ? answer.find("next_token") : std::nullopt;
  return token && token->is_string() ? token->string() : "";
}

// All pages as one.
base::Result<Document> call_all(ApiClient& client, const Operation& operation,
                                const Arguments& arguments) {
  std::string text = "{\"items\":[", token;
  do {
    Document page = TRY(client.call(operation.method, target_of(operation, arguments, token)));
    std::optional<base::JsonView> items = page->root().find("items");
    for (base::JsonView item : items->elements()) {
      if (text.back() != '[') text += ',';
      text += item.raw();
    }
    token = next_token_of(page->root());
  } while (!token.empty());
  return base::JsonDocument::parse(text + "],\"next_token\":null}");
}

base::Result<> call(const Context& context, const Operation& operation,
                    const Arguments& arguments) {
  for (std::size_t i = 0; i < arguments.path.size(); ++i)
    if (arguments.path[i].empty())
      return base::invalid(path_parameters(operation.path)[i] + " must not be empty");
  std::string body;
  if (operation.body != nullptr) body = TRY(body_of(operation, arguments));
  ApiClient client = TRY(context.client());
  net::Headers headers;
  if (!arguments.idempotency_key.empty())
    headers.push_back({"Idempotency-Key", arguments.idempotency_key});
  Document answer;
  if (arguments.wants_all) {
    answer = TRY(call_all(client, operation, arguments));
  } else {
    answer = TRY(client.call(operation.method, target_of(operation, arguments, ""), body, headers));
  }
  if (answer->root().is_null()) return {};
  TRY(print_answer(context.format(), answer->root(), operation.answer));
  if (context.format() == Format::table && !next_token_of(answer->root()).empty())
    fmt::print(stderr, "there is more: --all, or --next-token {}\n", next_token_of(answer->root()));
  return {};
}

std::string meaning_of(const base::Field& field) {
  std::string text(field.meaning);
  if (!field.default_json.empty()) text += fmt::format(" (default {})", field.default_json);
  return text;
}

void add_field(CLI::App& command, const Operation& operation, const base::Field& field,
               std::vector<std::string>& to) {
  CLI::Option* option = command.add_option(flag_name(field.name), to, meaning_of(field));
  option->type_name(hint(flag_kind(field), is_secret(operation, field)));
  option->expected(1)->allow_extra_args(false);
  option->multi_option_policy(flag_kind(field) == FlagKind::text_list
                                  ? CLI::MultiOptionPolicy::TakeAll
                                  : CLI::MultiOptionPolicy::Throw);
}

bool is_paged(const Operation& operation) {
  if (operation.query == nullptr) return false;
  const std::vector<base::Field>& fields = operation.query->list();
  return std::any_of(fields.begin(), fields.end(),
                     [](const base::Field& field) { return field.name == "next_token"; });
}

void add_operation(Context& context, const Operation& operation,
                   const std::vector<std::string>& words) {
  CLI::App* command = make_command(context, words, operation.summary);
  CLI::App* group = command->get_parent();
  if (group != &context.app && group->get_description().empty())
    group->description(std::string(operation.tag));
  auto arguments = std::make_shared<Arguments>();
  std::vector<std::string> names = path_parameters(operation.path);
  arguments->path.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    command->add_option(names[i], arguments->path[i])->required()->type_name("");
  if (operation.query != nullptr)
    for (const base::Field& field : operation.query->list())
      add_field(*command, operation, field, arguments->query[std::string(field.name)]);
  if (is_paged(operation))
    command->add_flag("--all", arguments->wants_all, "every page, one after the other");
  if (operation.body != nullptr) {
    CLI::Option* whole = command->add_option(std::string(body_option), arguments->whole_body,
                                             "the whole request instead of its fields");
    whole->type_name("JSON|@FILE");
    for (const base::Field& field : operation.body->list()) {
      add_field(*command, operation, field, arguments->body[std::string(field.name)]);
      whole->excludes(command->get_option(flag_name(field.name)));
    }
  }
  if (operation.takes_idempotency_key)
    command->add_option("--idempotency-key", arguments->idempotency_key,
                        "a repeat with the same key answers what the first one did");
  on_call(context, command,
          [&context, &operation, arguments] { return call(context, operation, *arguments); });
}

}  // namespace

void add_resource_commands(Context& context) {
  const std::vector<Operation>& operations = context.program.operations;
  std::vector<std::vector<std::string>> names = command_names(operations);
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (!names[i].empty() && operations[i].content_type == "application/json")
      add_operation(context, operations[i], names[i]);
}

}  // namespace cli
