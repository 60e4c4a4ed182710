// What is made of the tree of commands: completions for shells, and docs/cli.md.
#pragma once

#include "cli/context.h"

namespace cli {

/// One command or group of them.
struct TreeNode {
  std::string path;  // "runs cancel"
  CLI::App* command;
};
/// All of them below `root`, depth first, in the order of the help.
std::vector<TreeNode> command_tree(CLI::App& root);

/// A script for bash, zsh or fish.
std::string completion_script(CLI::App& root, const std::string& shell);
/// Every command in Markdown.
std::string reference_markdown(CLI::App& root);

/// completion and, not shown, commands.
void add_tree_commands(Context& context);

}  // namespace cli
