#include "model/cel/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/base64.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "model/cel/text.h"

namespace model::cel {

namespace {

base::Error no_json(std::string_view what) {
  return base::invalid(fmt::format("JSON has no text for {}", what));
}

// A double stays one when it is read back: 2.0, not 2.
std::string real_text(double value) {
  std::string text = to_text(value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

class Writer {
 public:
  Writer(std::string& out, Budget& budget) : out_(out), budget_(budget) {}

  base::Result<> value(const Value& value, std::size_t depth) {
    TRY(budget_.use_steps(1));
    if (const base::JsonView* view = value.view()) return raw(view->raw());
    if (depth > base::limits::json_depth_max)
      return no_json(fmt::format("more than {} levels", base::limits::json_depth_max));
    switch (value.type()) {
      case Type::null:
        return raw("null");
      case Type::boolean:
        return raw(value.as_boolean() ? "true" : "false");
      case Type::integer:
        return raw(std::to_string(value.as_integer()));
      case Type::uinteger:
        return raw(std::to_string(value.as_uinteger()));
      case Type::real:
        if (!std::isfinite(value.as_real())) return no_json(to_text(value.as_real()));
        return raw(real_text(value.as_real()));
      case Type::list:
        return list(value, depth);
      case Type::map:
        return map(value, depth);
      default:
        return text(value);
    }
  }

 private:
  base::Result<> raw(std::string_view json) {
    TRY(budget_.use_bytes(json.size()));
    TRY(budget_.use_text(json.size()));
    out_ += json;
    return {};
  }

  base::Result<> string(std::string_view text) {
    constexpr std::size_t growth_max = 6;  // a control character: \u0001
    TRY(budget_.use_text(text.size() * growth_max));
    if (text.find('\0') != std::string_view::npos) return no_json("U+0000");
    std::size_t before = out_.size();
    base::append_json_string(out_, text);
    return budget_.use_bytes(out_.size() - before);
  }

  // Whatever is a string in JSON.
  base::Result<> text(const Value& value) {
    if (value.is(Type::string)) return string(value.as_string());
    if (value.is(Type::bytes)) return string(base::encode_base64(value.as_bytes()));
    if (value.is(Type::timestamp)) return string(to_text(value.as_timestamp()));
    if (value.is(Type::duration)) return string(to_text(value.as_duration()));
    return no_json(fmt::format("the type {}", name_of(value.as_type())));
  }

  base::Result<> list(const Value& list, std::size_t depth) {
    TRY(raw("["));
    bool first = true;
    for (Cursor at(list); at.next(); first = false) {
      if (!first) TRY(raw(","));
      TRY(value(at.value(), depth + 1));
    }
    return raw("]");
  }

  base::Result<> map(const Value& map, std::size_t depth) {
    TRY(check_names(map));
    TRY(raw("{"));
    bool first = true;
    for (Cursor at(map); at.next(); first = false) {
      if (!first) TRY(raw(","));
      TRY(string(TRY(name_of_key(at.key()))));
      TRY(raw(":"));
      TRY(value(at.value(), depth + 1));
    }
    return raw("}");
  }

  base::Result<std::string> name_of_key(const Value& lazy) {
    Value key = TRY(lazy.read(budget_));
    if (key.is(Type::string)) return key.as_string();
    std::string name;
    Writer writer(name, budget_);
    TRY(writer.value(key, 0));
    return name;
  }

  // Keys of different types may become the same name: {1: …, "1": …}.
  base::Result<> check_names(const Value& map) {
    std::vector<std::string> names;
    bool strings = true;
    for (Cursor at(map); at.next();) strings = strings && at.key().is(Type::string);
    if (strings) return {};
    for (Cursor at(map); at.next();) names.push_back(TRY(name_of_key(at.key())));
    std::sort(names.begin(), names.end());
    auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice == names.end()) return {};
    return base::invalid(
        fmt::format("two keys of the map are {} in JSON", show(Value::string(*twice))));
  }

  std::string& out_;
  Budget& budget_;
};

}  // namespace

base::Result<> append_json(std::string& out, const Value& value, Budget& budget) {
  return Writer(out, budget).value(value, 1);
}

base::Result<> append_text(std::string& out, const Value& lazy, Budget& budget) {
  Value value = lazy;
  if (lazy.is(Type::string)) value = TRY(lazy.read(budget));
  std::string text;
  switch (value.type()) {
    case Type::string:
      text = value.as_string();
      break;
    case Type::bytes:
      text = base::encode_base64(value.as_bytes());
      break;
    case Type::timestamp:
      text = to_text(value.as_timestamp());
      break;
    case Type::duration:
      text = to_text(value.as_duration());
      break;
    default:
      return append_json(out, value, budget);
  }
  TRY(budget.use_bytes(text.size()));
  out += text;
  return {};
}

}  // namespace model::cel
