#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/utf8.h"

namespace base {

/// Recursive descent over one text; the depth limit bounds the stack. `error_` is set at the first
/// mismatch and every function then unwinds by returning false.
class JsonParser {
 public:
  JsonParser(JsonDocument& document, std::size_t depth_max)
      : text_(document.text_), nodes_(document.nodes_), depth_max_(depth_max) {}

  bool run() {
    skip_space();
    if (!value(0)) return false;
    skip_space();
    return at_ == text_.size() || fail("nothing after the value");
  }
  Error error() const {
    return malformed(fmt::format("invalid JSON at byte {}: expected {}", at_, error_));
  }

 private:
  bool fail(std::string_view expected) {
    if (error_.empty()) error_ = expected;
    return false;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }

  std::size_t open(JsonType type) {
    nodes_.push_back({static_cast<std::uint32_t>(at_), 0, 0, 0, type, false});
    return nodes_.size() - 1;
  }
  bool close(std::size_t node) {
    nodes_[node].end = static_cast<std::uint32_t>(at_);
    nodes_[node].next = static_cast<std::uint32_t>(nodes_.size());
    return true;
  }

  bool value(std::size_t depth) {
    switch (peek()) {
      case '{':
        return depth < depth_max_ ? object(depth) : fail_depth();
      case '[':
        return depth < depth_max_ ? array(depth) : fail_depth();
      case '"':
        return string();
      case 't':
        return literal("true", JsonType::boolean);
      case 'f':
        return literal("false", JsonType::boolean);
      case 'n':
        return literal("null", JsonType::null);
      default:
        return number();
    }
  }
  bool fail_depth() { return fail(fmt::format("at most {} levels of nesting", depth_max_)); }

  bool literal(std::string_view word, JsonType type) {
    if (text_.compare(at_, word.size(), word) != 0) return fail("a value");
    std::size_t node = open(type);
    at_ += word.size();
    return close(node);
  }

  bool digits() {
    std::size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }

  bool number() {
    std::size_t node = open(JsonType::number);
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!digits()) {
      return fail("a value");
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return fail("a digit after the decimal point");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return fail("a digit in the exponent");
    }
    return close(node);
  }

  bool string() {
    std::size_t node = open(JsonType::string);
    ++at_;
    while (at_ < text_.size()) {
      auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return close(node);
      }
      if (c == '\\') {
        nodes_[node].escaped = true;
        if (!escape()) return false;
      } else if (c < 0x20) {
        return fail("no control character in a string");
      } else if (c < 0x80) {
        ++at_;
      } else {
        std::size_t n = utf8_sequence(std::string_view(text_).substr(at_));
        if (n == 0) return fail("well-formed UTF-8");
        at_ += n;
      }
    }
    return fail("the end of a string");
  }

  bool escape() {
    ++at_;
    char c = peek();
    if (c == 'u') return unicode_escape();
    if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos || c == '\0')
      return fail("an escape character");
    ++at_;
    return true;
  }

  bool unicode_escape() {
    std::uint32_t unit = 0;
    if (!hex4(unit)) return false;
    if (unit == 0) return fail("no U+0000 in a string");
    if (unit >= 0xdc00 && unit <= 0xdfff) return fail("a high surrogate first");
    if (unit < 0xd800 || unit > 0xdbff) return true;
    if (peek() != '\\') return fail("a low surrogate");
    ++at_;
    std::uint32_t low = 0;
    if (peek() != 'u' || !hex4(low) || low < 0xdc00 || low > 0xdfff) return fail("a low surrogate");
    return true;
  }

  bool hex4(std::uint32_t& unit) {
    ++at_;
    if (at_ + 4 > text_.size()) return fail("four hexadecimal digits");
    auto* begin = text_.data() + at_;
    auto result = std::from_chars(begin, begin + 4, unit, 16);
    if (result.ptr != begin + 4) return fail("four hexadecimal digits");
    at_ += 4;
    return true;
  }

  bool array(std::size_t depth) {
    std::size_t node = open(JsonType::array);
    ++at_;
    skip_space();
    if (peek() == ']') return end_container(node);
    while (true) {
      if (!value(depth + 1)) return false;
      ++nodes_[node].count;
      skip_space();
      if (peek() == ']') return end_container(node);
      if (peek() != ',') return fail("',' or ']'");
      ++at_;
      skip_space();
    }
  }

  bool object(std::size_t depth) {
    std::size_t node = open(JsonType::object);
    ++at_;
    skip_space();
    if (peek() == '}') return end_container(node);
    while (true) {
      if (!member(depth)) return false;
      ++nodes_[node].count;
      skip_space();
      if (peek() == '}') return end_container(node) && names_are_unique(node);
      if (peek() != ',') return fail("',' or '}'");
      ++at_;
      skip_space();
    }
  }

  bool member(std::size_t depth) {
    if (peek() != '"') return fail("a member name");
    if (!string()) return false;
    skip_space();
    if (peek() != ':') return fail("':'");
    ++at_;
    skip_space();
    return value(depth + 1);
  }

  bool end_container(std::size_t node) {
    ++at_;
    return close(node);
  }

  bool names_are_unique(std::size_t node);

  const std::string& text_;
  std::vector<JsonDocument::Node>& nodes_;
  std::size_t depth_max_;
  std::size_t at_ = 0;
  std::string error_;
};

bool JsonParser::names_are_unique(std::size_t node) {
  const std::uint32_t count = nodes_[node].count;
  if (count < 2) return true;
  std::vector<std::string_view> names;
  std::vector<std::string> decoded;
  names.reserve(count);
  decoded.reserve(count);  // views point into it, so it must not grow
  for (std::size_t i = node + 1; i < nodes_.size(); i = nodes_[i + 1].next) {
    const auto& name = nodes_[i];
    if (name.escaped) {
      decoded.push_back(unescape_json_string(
          std::string_view(text_).substr(name.begin + 1, name.end - name.begin - 2)));
      names.push_back(decoded.back());
    } else {
      names.push_back(std::string_view(text_).substr(name.begin + 1, name.end - name.begin - 2));
    }
  }
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() || fail(fmt::format("each name once, but '{}' is repeated", *twice));
}

namespace {

std::uint32_t hex_unit(std::string_view text) {
  std::uint32_t unit = 0;
  std::from_chars(text.data(), text.data() + 4, unit, 16);
  return unit;
}

}  // namespace

std::string unescape_json_string(std::string_view body) {
  std::string out;
  out.reserve(body.size());
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] != '\\') {
      out += body[i];
      continue;
    }
    switch (body[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        char32_t unit = hex_unit(body.substr(i + 1));
        i += 4;
        if (unit >= 0xd800 && unit <= 0xdbff) {
          char32_t low = hex_unit(body.substr(i + 3));
          i += 6;
          unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        }
        append_utf8(out, unit);
        break;
      }
      default:
        out += body[i];
    }
  }
  return out;
}

std::string_view with_article(JsonType type) {
  switch (type) {
    case JsonType::null:
      return "null";
    case JsonType::boolean:
      return "a boolean";
    case JsonType::number:
      return "a number";
    case JsonType::string:
      return "a string";
    case JsonType::array:
      return "an array";
    case JsonType::object:
      return "an object";
  }
  return "a value";
}

Result<std::unique_ptr<const JsonDocument>> JsonDocument::parse(std::string text,
                                                                std::size_t depth_max) {
  CHECK(text.size() < UINT32_MAX);
  auto document = std::make_unique<JsonDocument>();
  document->text_ = std::move(text);
  document->nodes_.reserve(document->text_.size() / 8 + 4);
  JsonParser parser(*document, depth_max);
  if (!parser.run()) return parser.error();
  return std::unique_ptr<const JsonDocument>(std::move(document));
}

JsonType JsonView::type() const {
  return document_->nodes_[index_].type;
}

std::uint32_t JsonView::next() const {
  return document_->nodes_[index_].next;
}

std::string_view JsonView::raw() const {
  const auto& node = document_->nodes_[index_];
  return std::string_view(document_->text_).substr(node.begin, node.end - node.begin);
}

bool JsonView::boolean() const {
  CHECK(type() == JsonType::boolean);
  return raw() == "true";
}

std::string JsonView::string() const {
  CHECK(type() == JsonType::string);
  std::string_view body = raw().substr(1, raw().size() - 2);
  return document_->nodes_[index_].escaped ? unescape_json_string(body) : std::string(body);
}

bool JsonView::string_equals(std::string_view text) const {
  if (type() != JsonType::string) return false;
  std::string_view body = raw().substr(1, raw().size() - 2);
  if (!document_->nodes_[index_].escaped) return body == text;
  constexpr std::size_t escape_bytes_max = 6;  // of one byte: \u0041
  if (body.size() > text.size() * escape_bytes_max) return false;
  return string() == text;
}

std::optional<std::int64_t> JsonView::integer() const {
  if (type() != JsonType::number) return std::nullopt;
  std::string_view text = raw();
  std::int64_t value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc() && result.ptr == text.data() + text.size()) return value;
  if (result.ec != std::errc()) return std::nullopt;
  std::optional<double> real = number();  // "7.0", "7e0"
  if (!real || *real != std::floor(*real) || std::fabs(*real) >= 0x1.0p53) return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

std::optional<double> JsonView::number() const {
  if (type() != JsonType::number) return std::nullopt;
  std::string_view text = raw();
  double value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc()) return std::nullopt;
  return value;
}

std::size_t JsonView::size() const {
  return document_->nodes_[index_].count;
}

JsonView::Elements JsonView::elements() const {
  CHECK(is_array());
  return Elements(*this);
}

JsonView::Members JsonView::members() const {
  CHECK(is_object());
  return Members(*this);
}

std::optional<JsonView> JsonView::find(std::string_view name) const {
  if (!is_object()) return std::nullopt;
  for (Member member : members())
    if (member.name.string_equals(name)) return member.value;
  return std::nullopt;
}

namespace {

// An array index of RFC 6901: "0" or digits without a leading zero.
std::optional<std::size_t> pointer_index(std::string_view token) {
  std::size_t index = 0;
  auto result = std::from_chars(token.data(), token.data() + token.size(), index);
  bool whole = result.ec == std::errc() && result.ptr == token.data() + token.size();
  if (!whole || (token.size() > 1 && token[0] == '0')) return std::nullopt;
  return index;
}

std::optional<std::string> pointer_token(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      out += token[i];
    } else if (i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      return std::nullopt;
    }
  }
  return out;
}

std::optional<JsonView> child(JsonView value, std::string_view token) {
  if (value.is_object()) return value.find(token);
  if (!value.is_array()) return std::nullopt;
  std::optional<std::size_t> index = pointer_index(token);
  if (!index || *index >= value.size()) return std::nullopt;
  auto element = value.elements().begin();
  for (std::size_t i = 0; i < *index; ++i) ++element;
  return *element;
}

}  // namespace

std::optional<JsonView> JsonView::at_pointer(std::string_view pointer) const {
  JsonView value = *this;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return std::nullopt;
    std::size_t end = std::min(pointer.find('/', 1), pointer.size());
    std::optional<std::string> token = pointer_token(pointer.substr(1, end - 1));
    if (!token) return std::nullopt;
    std::optional<JsonView> next = child(value, *token);
    if (!next) return std::nullopt;
    value = *next;
    pointer.remove_prefix(end);
  }
  return value;
}

namespace {

void append_canonical_object(std::string& out, JsonView object, int null_free_levels) {
  std::vector<std::pair<std::string, JsonView>> members;
  for (JsonView::Member member : object.members())
    if (null_free_levels <= 0 || !member.value.is_null())
      members.emplace_back(member.name.string(), member.value);
  std::sort(members.begin(), members.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  char separator = '{';
  if (members.empty()) out += '{';
  for (const auto& [name, value] : members) {
    out += std::exchange(separator, ',');
    append_json_string(out, name);
    out += ':';
    append_canonical_json(out, value, null_free_levels - 1);
  }
  out += '}';
}

void append_canonical_array(std::string& out, JsonView array, int null_free_levels) {
  char separator = '[';
  if (array.size() == 0) out += '[';
  for (JsonView element : array.elements()) {
    out += std::exchange(separator, ',');
    append_canonical_json(out, element, null_free_levels);
  }
  out += ']';
}

}  // namespace

void append_canonical_json(std::string& out, JsonView value, int null_free_levels) {
  switch (value.type()) {
    case JsonType::object:
      return append_canonical_object(out, value, null_free_levels);
    case JsonType::array:
      return append_canonical_array(out, value, null_free_levels);
    case JsonType::string:
      return append_json_string(out, value.string());
    default:
      out += value.raw();
  }
}

}  // namespace base
