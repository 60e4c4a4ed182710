// The strings extension: https://github.com/google/cel-go/tree/master/ext#strings. Indexes count
// code points.
#include <fmt/format.h>

#include <algorithm>

#include "model/cel/code_points.h"
#include "model/cel/escape.h"
#include "model/cel/format.h"
#include "model/cel/functions.h"
#include "model/cel/search.h"
#include "model/cel/text.h"

namespace model::cel {

namespace {

// Where code point number `index` of the text begins.
base::Result<std::size_t> place(const std::string& text, const Value& index) {
  std::optional<std::size_t> at;
  if (index.as_integer() >= 0) at = byte_offset(text, static_cast<std::size_t>(index.as_integer()));
  if (!at) return base::invalid(fmt::format("no character {} in the string", index.as_integer()));
  return *at;
}

Value index_at(std::string_view text, std::size_t at) {
  if (at == std::string_view::npos) return Value::integer(-1);
  return Value::integer(static_cast<std::int64_t>(code_points(text.substr(0, at))));
}

base::Result<Value> make_string(std::string text, Budget& budget) {
  TRY(budget.use_bytes(text.size()));
  return Value::string(std::move(text));
}

base::Result<Value> char_at(Arguments arguments, Budget& budget) {
  const std::string& text = arguments[0].as_string();
  std::string_view rest = std::string_view(text).substr(TRY(place(text, arguments[1])));
  return make_string(std::string(rest.empty() ? rest : rest.substr(0, front_bytes(rest))), budget);
}

base::Result<Value> index_of(Arguments arguments, Budget&) {
  const std::string& text = arguments[0].as_string();
  std::size_t begin = arguments.size() == 3 ? TRY(place(text, arguments[2])) : 0;
  return index_at(text, find_text(text, arguments[1].as_string(), begin));
}

base::Result<Value> last_index_of(Arguments arguments, Budget&) {
  const std::string& text = arguments[0].as_string();
  std::size_t begin = arguments.size() == 3 ? TRY(place(text, arguments[2])) : text.size();
  return index_at(text, find_last_text(text, arguments[1].as_string(), begin));
}

base::Result<Value> substring(Arguments arguments, Budget& budget) {
  const std::string& text = arguments[0].as_string();
  std::size_t begin = TRY(place(text, arguments[1]));
  std::size_t end = arguments.size() == 3 ? TRY(place(text, arguments[2])) : text.size();
  if (begin > end) return base::invalid("the substring's end is before its beginning");
  return make_string(text.substr(begin, end - begin), budget);
}

template <char first, char last>
base::Result<Value> change_case(Arguments arguments, Budget& budget) {
  std::string text = arguments[0].as_string();
  for (char& c : text)
    if (c >= first && c <= last) c ^= 0x20;
  return make_string(std::move(text), budget);
}

// How often at most; negative is without a bound.
std::size_t limit_of(Arguments arguments, std::size_t index) {
  if (index >= arguments.size() || arguments[index].as_integer() < 0) return SIZE_MAX;
  return static_cast<std::size_t>(arguments[index].as_integer());
}

base::Result<Value> replace(Arguments arguments, Budget& budget) {
  const std::string& text = arguments[0].as_string();
  const std::string& from = arguments[1].as_string();
  const std::string& to = arguments[2].as_string();
  std::string out;
  std::size_t done = 0;  // of the text
  std::size_t at = find_text(text, from);
  for (std::size_t left = limit_of(arguments, 3); left > 0 && at <= text.size(); --left) {
    TRY(budget.use_steps(1));
    TRY(budget.use_bytes(at - done + to.size()));
    out.append(text, done, at - done);
    out += to;
    done = at;
    if (from.empty()) {  // between all characters, and at both ends
      if (at == text.size()) break;
      at += front_bytes(std::string_view(text).substr(at));
    } else {
      done += from.size();
      at = find_text(text, from, done);
    }
  }
  TRY(budget.use_bytes(text.size() - done));
  out.append(text, done);
  return Value::string(std::move(out));
}

base::Result<Value> split(Arguments arguments, Budget& budget) {
  std::string_view rest = arguments[0].as_string();
  const std::string& separator = arguments[1].as_string();
  std::size_t limit = limit_of(arguments, 2);
  std::vector<Value> parts;
  auto add = [&](std::string_view part) -> base::Result<> {
    TRY(budget.use_steps(1));
    TRY(budget.use_bytes(part.size() + sizeof(Value)));
    parts.push_back(Value::string(std::string(part)));
    return {};
  };
  while (parts.size() + 1 < limit) {
    std::size_t size =
        separator.empty() ? (rest.empty() ? 0 : front_bytes(rest)) : find_text(rest, separator);
    if (size == std::string_view::npos || (separator.empty() && size == rest.size())) break;
    TRY(add(rest.substr(0, size)));
    rest.remove_prefix(size + separator.size());
  }
  if (limit > 0 && !(separator.empty() && rest.empty())) TRY(add(rest));
  return Value::list(std::move(parts));
}

base::Result<Value> join(Arguments arguments, Budget& budget) {
  std::string separator = arguments.size() == 2 ? arguments[1].as_string() : "";
  std::string out;
  bool first = true;
  for (Cursor at(arguments[0]); at.next(); first = false) {
    TRY(budget.use_steps(1));
    Value element = TRY(at.value().read(budget));
    if (!element.is(Type::string))
      return base::invalid(fmt::format("join() of a list with {}", name_of(element.type())));
    TRY(budget.use_bytes(separator.size() + element.as_string().size()));
    if (!first) out += separator;
    out += element.as_string();
  }
  return Value::string(std::move(out));
}

// Unicode's White_Space.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

base::Result<Value> trim(Arguments arguments, Budget& budget) {
  std::string_view text = arguments[0].as_string();
  while (!text.empty() && is_space(front(text))) text.remove_prefix(front_bytes(text));
  std::size_t end = 0;  // after the last character that is no space
  for (std::size_t at = 0; at < text.size(); at += front_bytes(text.substr(at)))
    if (!is_space(front(text.substr(at)))) end = at + front_bytes(text.substr(at));
  return make_string(std::string(text.substr(0, end)), budget);
}

base::Result<Value> reverse(Arguments arguments, Budget& budget) {
  std::string_view text = arguments[0].as_string();
  std::string out(text.size(), '\0');
  std::size_t room = text.size();
  while (!text.empty()) {
    std::size_t bytes = front_bytes(text);
    room -= bytes;
    text.copy(&out[room], bytes);
    text.remove_prefix(bytes);
  }
  return make_string(std::move(out), budget);
}

base::Result<Value> quoted(Arguments arguments, Budget& budget) {
  return make_string(quote(arguments[0].as_string()), budget);
}

base::Result<Value> formatted(Arguments arguments, Budget& budget) {
  return Value::string(TRY(format(arguments[0].as_string(), arguments[1], budget)));
}

constexpr auto method = CallForm::method;
constexpr Type text = Type::string;
constexpr Type integer = Type::integer;

constexpr Overload overloads[] = {
    {method, "charAt", {text, integer}, text, char_at},
    {method, "indexOf", {text, text}, integer, index_of},
    {method, "indexOf", {text, text, integer}, integer, index_of},
    {method, "lastIndexOf", {text, text}, integer, last_index_of},
    {method, "lastIndexOf", {text, text, integer}, integer, last_index_of},
    {method, "substring", {text, integer}, text, substring},
    {method, "substring", {text, integer, integer}, text, substring},
    {method, "lowerAscii", {text}, text, change_case<'A', 'Z'>},
    {method, "upperAscii", {text}, text, change_case<'a', 'z'>},
    {method, "replace", {text, text, text}, text, replace},
    {method, "replace", {text, text, text, integer}, text, replace},
    {method, "split", {text, text}, Type::list, split},
    {method, "split", {text, text, integer}, Type::list, split},
    {method, "join", {Type::list}, text, join},
    {method, "join", {Type::list, text}, text, join},
    {method, "trim", {text}, text, trim},
    {method, "reverse", {text}, text, reverse},
    {method, "format", {text, Type::list}, text, formatted},
    {CallForm::function, "strings.quote", {text}, text, quoted},
};

}  // namespace

Overloads string_extension_overloads() {
  return overloads;
}

}  // namespace model::cel
