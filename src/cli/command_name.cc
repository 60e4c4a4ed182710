// How a route is called on the command line.
#include <algorithm>
#include <array>
#include <set>

#include "cli/operation.h"

namespace cli {

namespace {

struct Alias {
  std::string_view operation;
  std::string_view words;  // "" hides it: another command does its work
};

// Only where the rule gives a bad name, or two routes the same one.
constexpr auto aliases = std::to_array<Alias>({
    {"login", ""},
    {"logout", ""},
    {"getOpenApi", ""},
    {"getReference", ""},
    {"followRun", ""},
    {"getRunLogs", ""},
    {"getMe", ""},
    {"getUserProfile", "whoami"},
    {"getHealth", "health"},
    {"getLiveness", ""},
    {"registerFlow", "flows register"},
    {"getLatestFlowVersion", "flows show"},
    {"triggerRun", "runs start"},
    {"cancelRuns", "runs cancel-many"},
    {"rerunRuns", "runs rerun-many"},
    {"setDeploymentVersion", "deployments set-version"},
});

// What people say instead of the path's word.
constexpr auto nouns = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"api-keys", "keys"},
    {"run-failures", "failures"},
});

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool is_parameter(std::string_view segment) {
  return segment.starts_with('{');
}

std::string noun_of(const std::string& segment) {
  for (const auto& [path, noun] : nouns)
    if (path == segment) return std::string(noun);
  return segment;
}

bool has_items(const Operation& operation) {
  if (operation.answer == nullptr) return false;
  const std::vector<base::Field>& fields = operation.answer->list();
  return std::any_of(fields.begin(), fields.end(),
                     [](const base::Field& field) { return field.name == "items"; });
}

// Whether there is more at or below the path: then it is a collection, and not itself a verb.
bool is_collection(const Operation& operation, const std::vector<Operation>& all) {
  return std::any_of(all.begin(), all.end(), [&](const Operation& other) {
    if (other.path == operation.path) return other.method != operation.method;
    return other.path.starts_with(operation.path) &&
           other.path.substr(operation.path.size()).starts_with("/{");
  });
}

std::string verb_of(const Operation& operation, bool of_collection) {
  if (operation.method == "GET") return of_collection && has_items(operation) ? "list" : "show";
  if (operation.method == "POST") return "create";
  return operation.method == "DELETE" ? "delete" : "update";
}

// The literal segments of the path are the words. `list`, `show`, `create`, `update` or `delete`
// follows, but where the last segment is a verb itself, as in POST /runs/{run_id}/cancel.
std::vector<std::string> words_by_rule(const Operation& operation,
                                       const std::vector<Operation>& all) {
  std::vector<std::string> segments = split(operation.path, '/'), words;
  for (const std::string& segment : segments)
    if (!is_parameter(segment)) words.push_back(noun_of(segment));
  if (segments.empty()) return {};
  bool ends_literal = !is_parameter(segments.back());
  if (ends_literal && words.size() > 1 && !is_collection(operation, all)) return words;
  words.push_back(verb_of(operation, ends_literal));
  return words;
}

}  // namespace

std::vector<std::string> path_parameters(std::string_view path) {
  std::vector<std::string> names;
  for (const std::string& segment : split(path, '/'))
    if (is_parameter(segment)) names.push_back(segment.substr(1, segment.size() - 2));
  return names;
}

std::vector<std::vector<std::string>> command_names(const std::vector<Operation>& operations) {
  std::vector<std::vector<std::string>> names;
  std::set<std::vector<std::string>> taken;
  for (const Operation& operation : operations) {
    auto alias = std::find_if(aliases.begin(), aliases.end(),
                              [&](const Alias& each) { return each.operation == operation.name; });
    std::vector<std::string> words =
        alias != aliases.end() ? split(alias->words, ' ') : words_by_rule(operation, operations);
    // Two routes with the same words: the later one is told apart by its method.
    if (!words.empty() && !taken.insert(words).second) {
      words.back() += "-by-" + std::string(operation.name);
      taken.insert(words);
    }
    names.push_back(std::move(words));
  }
  return names;
}

}  // namespace cli
