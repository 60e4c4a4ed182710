#include "cli/command_tree.h"

#include <fmt/format.h>

#include <algorithm>

namespace cli {

namespace {

std::vector<CLI::App*> children(CLI::App& command) {
  return command.get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); });
}

std::vector<const CLI::Option*> options_of(CLI::App& command) {
  std::vector<const CLI::Option*> options;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_positional()) options.push_back(option);
  return options;
}

std::vector<std::string> flags_of(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& name : option.get_snames()) flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) flags.push_back("--" + name);
  return flags;
}

// What may stand after a command, by its name and by those of the options that are for all.
std::string words_after(CLI::App& root, const TreeNode& node) {
  std::string words;
  auto append = [&](const std::string& word) { words += (words.empty() ? "" : " ") + word; };
  for (CLI::App* child : children(*node.command)) append(child->get_name());
  for (const CLI::Option* option : options_of(*node.command))
    for (const std::string& flag : flags_of(*option)) append(flag);
  bool has_shared = node.command != &root && node.command->get_fallthrough();
  if (has_shared)
    for (const CLI::Option* option : options_of(root))
      for (const std::string& flag : flags_of(*option))
        if (flag != "-h" && flag != "--help" && flag != "--version") append(flag);
  return words;
}

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (char c : text) c == '\'' ? out += "'\\''" : out += c;
  return out += '\'';
}

// The body that bash and zsh share: finds the command that the words so far name.
std::string case_table(CLI::App& root, std::string_view indent) {
  std::string out;
  for (const TreeNode& node : command_tree(root))
    out += fmt::format("{}{}) words={} ;;\n", indent, in_quotes(node.path),
                       in_quotes(words_after(root, node)));
  return out;
}

std::string known_paths(CLI::App& root) {
  std::string out;
  for (const TreeNode& node : command_tree(root))
    if (!node.path.empty()) out += (out.empty() ? "" : "|") + in_quotes(node.path);
  return out;
}

std::string bash_script(CLI::App& root) {
  return fmt::format(R"(# bash: source <(dagy completion bash)
_dagy() {{
  local path='' word words='' current="${{COMP_WORDS[COMP_CWORD]}}"
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "${{path:+$path }}$word" in
    {}) path="${{path:+$path }}$word" ;;
    esac
  done
  case "$path" in
{}  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _dagy dagy
)",
                     known_paths(root), case_table(root, "  "));
}

std::string zsh_script(CLI::App& root) {
  return fmt::format(R"(#compdef dagy
# zsh: source <(dagy completion zsh), or this in a file _dagy of $fpath
_dagy() {{
  local route='' word list=''
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    case "${{route:+$route }}$word" in
    {}) route="${{route:+$route }}$word" ;;
    esac
  done
  list_for() {{
    local words
    case "$1" in
{}    esac
    print -r -- "$words"
  }}
  list=$(list_for "$route")
  compadd -- ${{=list}} || _files
}}
compdef _dagy dagy
)",
                     known_paths(root), case_table(root, "    "));
}

std::string fish_script(CLI::App& root) {
  std::string out = fmt::format(R"(# fish: dagy completion fish | source
function __dagy_at
  set -l path ''
  for word in (commandline -opc)[2..-1]
    switch (string trim "$path $word")
      case {}
        set path (string trim "$path $word")
    end
  end
  test "$path" = "$argv[1]"
end
)",
                                [&] {
                                  std::string paths = known_paths(root);
                                  std::replace(paths.begin(), paths.end(), '|', ' ');
                                  return paths;
                                }());
  for (const TreeNode& node : command_tree(root)) {
    std::string at = in_quotes("__dagy_at \"" + node.path + "\"");
    for (CLI::App* child : children(*node.command))
      out += fmt::format("complete -c dagy -f -n {} -a {} -d {}\n", at, child->get_name(),
                         in_quotes(child->get_description()));
    for (const CLI::Option* option : options_of(*node.command))
      for (const std::string& name : option->get_lnames())
        out +=
            fmt::format("complete -c dagy -n {} -l {} -d {}\n", node.command == &root ? "true" : at,
                        name, in_quotes(option->get_description()));
  }
  return out;
}

std::string usage_of(const TreeNode& node) {
  std::string usage = "dagy " + node.path;
  for (const CLI::Option* option : node.command->get_options())
    if (option->get_positional()) usage += ' ' + option->get_name(true);
  return usage;
}

std::string options_table(const std::vector<const CLI::Option*>& options) {
  std::string out;
  for (const CLI::Option* option : options) {
    if (option->get_name().find("--help") != std::string::npos) continue;
    std::string names;
    for (const std::string& flag : flags_of(*option)) names += (names.empty() ? "" : ", ") + flag;
    std::string type = option->get_expected_max() == 0 ? "" : ' ' + option->get_type_name();
    std::string meaning = option->get_description();
    for (std::size_t at = 0; (at = meaning.find('|', at)) != std::string::npos; at += 2)
      meaning.insert(at, 1, '\\');
    std::replace(type.begin(), type.end(), '|', '/');
    out += fmt::format("| `{}{}` | {} |\n", names, type, meaning);
  }
  return out.empty() ? "" : "\n| option | meaning |\n|---|---|\n" + out;
}

}  // namespace

std::vector<TreeNode> command_tree(CLI::App& root) {
  std::vector<TreeNode> nodes = {{"", &root}};
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::vector<TreeNode> below;
    for (CLI::App* child : children(*nodes[i].command))
      below.push_back(
          {nodes[i].path + (nodes[i].path.empty() ? "" : " ") + child->get_name(), child});
    nodes.insert(nodes.begin() + static_cast<std::ptrdiff_t>(i) + 1, below.begin(), below.end());
  }
  return nodes;
}

std::string completion_script(CLI::App& root, const std::string& shell) {
  if (shell == "bash") return bash_script(root);
  return shell == "zsh" ? zsh_script(root) : fish_script(root);
}

std::string reference_markdown(CLI::App& root) {
  std::string out = "## Options of every command\n" + options_table(options_of(root));
  std::string group;
  for (const TreeNode& node : command_tree(root)) {
    if (node.path.empty() || !children(*node.command).empty()) continue;
    std::string noun = node.path.substr(0, node.path.find(' '));
    if (std::exchange(group, noun) != noun) out += fmt::format("\n## {}\n", noun);
    out += fmt::format("\n`{}`: {}.\n", usage_of(node), node.command->get_description());
    // The settings have a table of their own, and show the defaults of this process.
    if (node.path == "serve") continue;
    out += options_table(options_of(*node.command));
  }
  return out;
}

void add_tree_commands(Context& context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      make_command(context, {"completion"}, "Print a script that completes commands in a shell");
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  on_call(context, completion,
          [&context, shell] { return print_text(completion_script(context.app, *shell)); });
  CLI::App* commands = make_command(context, {"commands"}, "Print the reference of all commands");
  commands->group("");  // for the documentation alone
  on_call(context, commands, [&context] { return print_text(reference_markdown(context.app)); });
}

}  // namespace cli
