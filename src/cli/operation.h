// A route of the API, as far as a command needs it. The list comes from app, made of the same table
// as the routes: a route that is added there is a command here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"

namespace cli {

struct Operation {
  std::string_view method;  // "GET"
  std::string_view path;    // "/runs/{run_id}"
  std::string_view name;    // operationId
  std::string_view summary;
  std::string_view tag;  // of the category
  const base::Fields* query = nullptr;
  const base::Fields* body = nullptr;
  const base::Fields* answer = nullptr;  // of the first status below 300 that has one
  std::string_view content_type = "application/json";
  bool takes_idempotency_key = false;
};

/// The words of the command of each operation, in the order of the list: a noun and a verb by rule
/// (command_name.cc), or an alias. Empty where the operation is no command of this kind.
std::vector<std::vector<std::string>> command_names(const std::vector<Operation>& operations);

/// Names of the path's parameters, in order.
std::vector<std::string> path_parameters(std::string_view path);

/// What a field's value looks like on a command line.
enum class FlagKind { text, json_scalar, boolean, text_list, json };
FlagKind flag_kind(const base::Field& field);
/// Whether its value must not stand among arguments, which others can read.
bool is_secret(const Operation& operation, const base::Field& field);

/// The description of the elements of a field that is a list of structs, or null.
const base::Fields* element_fields(const base::Field& field);

}  // namespace cli
