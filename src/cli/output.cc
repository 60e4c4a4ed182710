#include "cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "base/yaml.h"
#include "cli/operation.h"

namespace cli {

namespace {

constexpr std::size_t cell_width_max = 60;
constexpr std::string_view gap = "  ";

std::size_t character_bytes(std::string_view text) {
  return std::max<std::size_t>(1, base::utf8_sequence(text));
}

std::size_t character_count(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) text.remove_prefix(character_bytes(text));
  return count;
}

std::string first_characters(std::string_view text, std::size_t count) {
  std::size_t bytes = 0;
  while (count-- > 0 && bytes < text.size()) bytes += character_bytes(text.substr(bytes));
  return std::string(text.substr(0, bytes));
}

bool is_plain(base::JsonView value) {
  return !value.is_object() && !value.is_array();
}

std::string cell(base::JsonView value, std::size_t width_max) {
  if (value.is_null()) return std::string(1, '-');
  std::string text = value.is_string() ? value.string() : std::string(value.raw());
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  text = printable(text);
  if (width_max == 0 || character_count(text) <= width_max) return text;
  return first_characters(text, width_max - 1).append("…");
}

struct Column {
  std::string name;
  std::size_t width = 0;
  std::vector<std::string> cells = {};
};

std::vector<std::string> field_names(base::JsonView rows, const base::Fields* description) {
  std::vector<std::string> names;
  if (description != nullptr) {
    for (const base::Field& field : description->list()) names.emplace_back(field.name);
  } else if (rows.size() > 0 && (*rows.elements().begin()).is_object()) {
    for (base::JsonView::Member member : (*rows.elements().begin()).members())
      names.push_back(member.name.string());
  }
  return names;
}

// The column of a field, or nothing where no row has a plain value for it.
std::optional<Column> column_of(base::JsonView rows, const std::string& name,
                                std::size_t width_max) {
  Column column{name, name.size()};
  bool is_empty = true;
  for (base::JsonView row : rows.elements()) {
    std::optional<base::JsonView> value = row.is_object() ? row.find(name) : std::nullopt;
    bool is_shown = value && is_plain(*value);
    is_empty = is_empty && (!is_shown || value->is_null());
    column.cells.push_back(is_shown ? cell(*value, width_max) : std::string(1, '-'));
    column.width = std::max(column.width, character_count(column.cells.back()));
  }
  if (is_empty) return std::nullopt;
  return column;
}

void append_padded(std::string& line, const std::string& text, std::size_t width) {
  line += text;
  line.append(width - std::min(width, character_count(text)), ' ');
}

void append_line(std::string& out, const std::vector<Column>& columns, std::size_t row,
                 bool is_head) {
  std::string line;
  for (const Column& column : columns) {
    if (!line.empty()) line += gap;
    std::string head;
    for (char c : column.name) head += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    append_padded(line, is_head ? head : column.cells[row], column.width);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out.append(line).append("\n");
}

const base::Field* find_field(const base::Fields* description, std::string_view name) {
  if (description == nullptr) return nullptr;
  for (const base::Field& field : description->list())
    if (field.name == name) return &field;
  return nullptr;
}

bool is_table(base::JsonView value) {
  return value.is_array() && value.size() > 0 && (*value.elements().begin()).is_object();
}

void append_pretty(std::string& out, base::JsonView value, std::size_t indent) {
  if (is_plain(value) || value.size() == 0) {
    out += value.is_array() ? "[]" : value.is_object() ? "{}" : value.raw();
    return;
  }
  std::string margin(indent + 2, ' ');
  char separator = value.is_object() ? '{' : '[';
  auto begin_line = [&] {
    out += std::exchange(separator, ',');
    out.append("\n").append(margin);
  };
  if (value.is_object()) {
    for (base::JsonView::Member member : value.members()) {
      begin_line();
      out.append(member.name.raw()).append(": ");
      append_pretty(out, member.value, indent + 2);
    }
  } else {
    for (base::JsonView element : value.elements()) {
      begin_line();
      append_pretty(out, element, indent + 2);
    }
  }
  out.append("\n").append(indent, ' ').append(value.is_object() ? "}" : "]");
}

std::string answer_text(Format format, base::JsonView answer, const base::Fields* description) {
  if (format == Format::json) return pretty_json(answer);
  if (format == Format::yaml) return base::json_to_yaml(answer);
  std::size_t width = terminal_width();
  std::optional<base::JsonView> items = answer.is_object() ? answer.find("items") : std::nullopt;
  if (items && items->is_array()) {
    const base::Field* field = find_field(description, "items");
    return list_table(*items, field != nullptr ? element_fields(*field) : nullptr, width);
  }
  if (answer.is_object()) return object_table(answer, description, width);
  return pretty_json(answer);
}

}  // namespace

std::span<const base::EnumName> enum_names(Format) {
  static constexpr std::array<base::EnumName, 3> names{
      {{int(Format::table), "table"}, {int(Format::json), "json"}, {int(Format::yaml), "yaml"}}};
  return names;
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    bool is_c1 = c == 0xc2 && i + 1 < text.size() &&  // U+0080 to U+009F in UTF-8
                 static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (is_c1) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::size_t terminal_width() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0) return 0;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string pretty_json(base::JsonView value) {
  std::string out;
  append_pretty(out, value, 0);
  return out.append("\n");
}

std::string list_table(base::JsonView rows, const base::Fields* description, std::size_t width) {
  std::vector<Column> columns;
  std::size_t used = 0;
  for (const std::string& name : field_names(rows, description)) {
    std::optional<Column> column = column_of(rows, name, width == 0 ? 0 : cell_width_max);
    if (!column) continue;
    used += column->width + (columns.empty() ? 0 : gap.size());
    if (width != 0 && used > width && !columns.empty()) break;
    columns.push_back(std::move(*column));
  }
  std::string out;
  if (columns.empty()) return out;
  append_line(out, columns, 0, true);
  for (std::size_t row = 0; row < columns[0].cells.size(); ++row)
    append_line(out, columns, row, false);
  return out;
}

std::string object_table(base::JsonView object, const base::Fields* description,
                         std::size_t width) {
  std::size_t names_width = 0;
  for (base::JsonView::Member member : object.members())
    if (!is_table(member.value))
      names_width = std::max(names_width, character_count(member.name.string()));
  std::string out, tables;
  for (base::JsonView::Member member : object.members()) {
    std::string name = member.name.string();
    if (is_table(member.value)) {
      const base::Field* field = find_field(description, name);
      tables +=
          fmt::format("\n{}:\n{}", name,
                      list_table(member.value, field ? element_fields(*field) : nullptr, width));
      continue;
    }
    std::string line;
    append_padded(line, printable(name), names_width);
    out.append(line).append(gap).append(cell(member.value, 0)).append("\n");
  }
  return out + tables;
}

base::Result<> print_answer(Format format, base::JsonView answer, const base::Fields* description) {
  return print_text(answer_text(format, answer, description));
}

base::Result<> print_text(std::string_view text) {
  bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return {};
  return base::internal_error("standard output takes no more");
}

}  // namespace cli
