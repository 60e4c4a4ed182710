// What commands print: tables for people, JSON and YAML for programs.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "base/json.h"
#include "base/result.h"

namespace cli {

enum class Format { table, json, yaml };
std::span<const base::EnumName> enum_names(Format);

/// Control characters, which a terminal would obey, as \x1b; line ends and tabs stay.
std::string printable(std::string_view text);
/// Columns of the terminal that is standard output, 0 where it is none.
std::size_t terminal_width();
/// Pretty-printed, with a line end.
std::string pretty_json(base::JsonView value);

/// A list as a table: one column for each plain field that has a value in some row, as many as fit
/// into `width`, if that is not 0. Without a description the first row's members are the fields.
std::string list_table(base::JsonView rows, const base::Fields* description, std::size_t width);
/// One object: a line for each member, lists of objects as tables below.
std::string object_table(base::JsonView object, const base::Fields* description, std::size_t width);

/// Prints an answer. A page of a list is printed as its items, but for programs as it is.
/// `unavailable` when standard output takes no more.
base::Result<> print_answer(Format format, base::JsonView answer,
                            const base::Fields* description = nullptr);
base::Result<> print_text(std::string_view text);

}  // namespace cli
