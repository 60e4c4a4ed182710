#include "base/yaml.h"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "base/ascii.h"
#include "base/json_writer.h"
#include "base/limits.h"

namespace base {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// Takes digits from the front.
std::string_view take_digits(std::string_view& text) {
  auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  std::string_view digits(text.begin(), end);
  text.remove_prefix(digits.size());
  return digits;
}

// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?` as a JSON number with the same digits.
std::optional<std::string> decimal(std::string_view text) {
  std::string out = text.starts_with('-') ? "-" : "";
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  std::string_view whole = take_digits(text), fraction;
  bool has_point = text.starts_with('.');
  if (has_point) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;
  whole.remove_prefix(std::min(whole.find_first_not_of('0'), whole.size()));
  out += whole.empty() ? "0" : whole;
  if (has_point) out.append(".").append(fraction.empty() ? "0" : fraction);
  if (text.empty()) return out;
  if (text[0] != 'e' && text[0] != 'E') return std::nullopt;
  out += 'e';
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) {
    out += text[0];
    text.remove_prefix(1);
  }
  std::string_view exponent = take_digits(text);
  if (exponent.empty() || !text.empty()) return std::nullopt;
  return out.append(exponent);
}

// 0x1F and 0o17; nothing where the digits are others.
std::optional<Result<std::string>> based_integer(std::string_view text) {
  int base = text.starts_with("0x") ? 16 : text.starts_with("0o") ? 8 : 0;
  if (base == 0 || text.size() == 2) return std::nullopt;
  std::uint64_t value = 0;
  auto read = std::from_chars(text.data() + 2, text.data() + text.size(), value, base);
  if (read.ptr != text.data() + text.size()) return std::nullopt;
  if (read.ec != std::errc()) return malformed("this integer has more than 64 bits");
  return std::to_string(value);
}

// The JSON of a scalar without quotes.
Result<std::string> plain_scalar(std::string_view text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return std::string("null");
  if (is_one_of(text, {"true", "True", "TRUE"})) return std::string("true");
  if (is_one_of(text, {"false", "False", "FALSE"})) return std::string("false");
  if (auto integer = based_integer(text)) return *integer;
  if (auto number = decimal(text)) return *number;
  std::string_view unsigned_text = text.substr(text[0] == '-' || text[0] == '+' ? 1 : 0);
  if (is_one_of(unsigned_text, {".inf", ".Inf", ".INF"}) ||
      is_one_of(text, {".nan", ".NaN", ".NAN"}))
    return malformed("there are no infinities and no NaN; as a text it needs quotes");
  std::string out;
  append_json_string(out, text);
  return out;
}

class YamlEvent {
 public:
  YamlEvent() = default;
  YamlEvent(const YamlEvent&) = delete;
  YamlEvent& operator=(const YamlEvent&) = delete;
  ~YamlEvent() { yaml_event_delete(&raw); }

  yaml_event_t raw{};
};

std::string_view view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view() : reinterpret_cast<const char*>(text);
}

class YamlReader {
 public:
  explicit YamlReader(std::string_view text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;
  ~YamlReader() { yaml_parser_delete(&parser_); }

  Result<std::string> read() {
    YamlEvent start, document, root, end, next;
    TRY(take(start));
    TRY(take(document));
    if (document.raw.type == YAML_STREAM_END_EVENT) return refuse(document, "the file is empty");
    TRY(take(root));
    TRY(read_value(root, 0));
    TRY(take(end));
    TRY(take(next));
    if (next.raw.type != YAML_STREAM_END_EVENT) return refuse(next, "a second document begins");
    return std::move(out_);
  }

 private:
  static Error refuse(const yaml_mark_t& mark, std::string_view message) {
    return malformed(
        fmt::format("line {}, column {}: {}", mark.line + 1, mark.column + 1, message));
  }
  static Error refuse(const YamlEvent& event, std::string_view message) {
    return refuse(event.raw.start_mark, message);
  }

  Result<> take(YamlEvent& event) {
    if (yaml_parser_parse(&parser_, &event.raw) == 1) return {};
    std::string_view problem = parser_.problem == nullptr ? "not readable" : parser_.problem;
    if (parser_.error == YAML_READER_ERROR)  // its marks are not yet set
      return refuse(parser_.mark, fmt::format("{} (byte {})", problem, parser_.problem_offset));
    return refuse(parser_.problem_mark, problem);
  }

  Result<> read_value(const YamlEvent& event, std::size_t depth) {
    std::size_t begin = out_.size();
    std::string_view anchor;
    switch (event.raw.type) {
      case YAML_ALIAS_EVENT:
        TRY(copy_anchor(event));
        break;
      case YAML_SCALAR_EVENT:
        anchor = view(event.raw.data.scalar.anchor);
        TRY(read_scalar(event));
        break;
      case YAML_SEQUENCE_START_EVENT:
        anchor = view(event.raw.data.sequence_start.anchor);
        TRY(read_list(event, depth));
        break;
      default:
        anchor = view(event.raw.data.mapping_start.anchor);
        TRY(read_map(event, depth));
    }
    if (out_.size() > limits::spec_bytes_max)
      return refuse(event, fmt::format("the document is larger than {} bytes as JSON",
                                       limits::spec_bytes_max));
    if (!anchor.empty()) anchors_[std::string(anchor)] = {begin, out_.size() - begin};
    return {};
  }

  Result<> copy_anchor(const YamlEvent& event) {
    std::string name(view(event.raw.data.alias.anchor));
    auto found = anchors_.find(name);
    if (found == anchors_.end())
      return refuse(event, fmt::format("*{} names nothing that has ended before it", name));
    out_.append(std::string(out_, found->second.first, found->second.second));
    return {};
  }

  Result<std::string> text_of(const YamlEvent& event) const {
    const auto& scalar = event.raw.data.scalar;
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    if (text.find('\0') != std::string::npos) return refuse(event, "U+0000 is not allowed");
    return text;
  }

  Result<> read_scalar(const YamlEvent& event) {
    const auto& scalar = event.raw.data.scalar;
    std::string text = TRY(text_of(event));
    std::string_view tag = view(scalar.tag);
    bool is_text = tag == "!" || tag == YAML_STR_TAG;
    if (!tag.empty() && !is_text) return refuse(event, fmt::format("tag {} is not known", tag));
    if (is_text || scalar.style != YAML_PLAIN_SCALAR_STYLE) {
      append_json_string(out_, text);
      return {};
    }
    Result<std::string> json = plain_scalar(text);
    if (!json) return refuse(event, json.error().message);
    out_ += *json;
    return {};
  }

  Result<> check_depth(const YamlEvent& event, const yaml_char_t* tag, std::size_t depth) const {
    if (tag != nullptr) return refuse(event, fmt::format("tag {} is not known", view(tag)));
    if (depth < limits::json_depth_max) return {};
    return refuse(event, fmt::format("nested deeper than {}", limits::json_depth_max));
  }

  Result<> read_list(const YamlEvent& event, std::size_t depth) {
    TRY(check_depth(event, event.raw.data.sequence_start.tag, depth));
    char separator = '[';
    while (true) {
      YamlEvent element;
      TRY(take(element));
      if (element.raw.type == YAML_SEQUENCE_END_EVENT) break;
      out_ += std::exchange(separator, ',');
      TRY(read_value(element, depth + 1));
    }
    out_ += separator == '[' ? "[]" : "]";
    return {};
  }

  Result<> read_map(const YamlEvent& event, std::size_t depth) {
    TRY(check_depth(event, event.raw.data.mapping_start.tag, depth));
    std::set<std::string> names;
    out_ += '{';
    while (true) {
      YamlEvent key, value;
      TRY(take(key));
      if (key.raw.type == YAML_MAPPING_END_EVENT) break;
      if (key.raw.type != YAML_SCALAR_EVENT) return refuse(key, "a name must be a text");
      std::string name = TRY(text_of(key));
      if (!names.empty()) out_ += ',';
      if (!names.insert(name).second) return refuse(key, fmt::format("'{}' is there twice", name));
      append_json_string(out_, name);
      out_ += ':';
      TRY(take(value));
      TRY(read_value(value, depth + 1));
    }
    out_ += '}';
    return {};
  }

  yaml_parser_t parser_;
  std::string out_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> anchors_;  // begin, bytes in out_
};

// ---- printing ----

// Whether a text may stand without quotes: words that are no other scalar in any version of YAML.
bool is_plain(std::string_view text) {
  auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto is_inner = [&](char c) {
    return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
  };
  if (text.empty() || !(is_letter(text[0]) || text[0] == '_')) return false;
  if (!std::all_of(text.begin(), text.end(), is_inner)) return false;
  return !is_one_of(ascii_lower(text),
                    {"null", "true", "false", "yes", "no", "on", "off", "y", "n"});
}

std::string scalar_text(JsonView value) {
  if (!value.is_string()) return std::string(value.raw());
  std::string text = value.string();
  if (is_plain(text)) return text;
  std::string quoted;
  append_json_string(quoted, text);
  return quoted;
}

void print_entries(std::string& out, JsonView value, std::size_t indent);

// What follows "name:" or "-": on the same line, or below it.
void print_nested(std::string& out, JsonView value, std::size_t indent, bool begins_inline) {
  bool is_block = (value.is_object() || value.is_array()) && value.size() > 0;
  if (!is_block) {
    out.append(" ").append(scalar_text(value)).append("\n");
  } else if (begins_inline) {
    std::string block;
    print_entries(block, value, indent);
    out.append(" ").append(block, indent);
  } else {
    out += '\n';
    print_entries(out, value, indent);
  }
}

void print_entries(std::string& out, JsonView value, std::size_t indent) {
  if (value.is_object()) {
    for (JsonView::Member member : value.members()) {
      out.append(indent, ' ').append(scalar_text(member.name)).append(":");
      print_nested(out, member.value, indent + 2, false);
    }
    return;
  }
  for (JsonView element : value.elements()) {
    out.append(indent, ' ').append("-");
    print_nested(out, element, indent + 2, true);
  }
}

}  // namespace

Result<std::string> yaml_to_json(std::string_view text) {
  return YamlReader(text).read();
}

std::string json_to_yaml(JsonView value) {
  std::string out;
  bool is_block = (value.is_object() || value.is_array()) && value.size() > 0;
  if (is_block) {
    print_entries(out, value, 0);
  } else {
    out = scalar_text(value) + '\n';
  }
  return out;
}

}  // namespace base
