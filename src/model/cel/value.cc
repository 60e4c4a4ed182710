#include "model/cel/value.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "base/check.h"
#include "model/cel/budget.h"
#include "model/cel/compare.h"

namespace model::cel {

namespace {

Type type_of_number(std::string_view text) {
  if (text.find_first_of(".eE") != std::string_view::npos) return Type::real;
  constexpr std::string_view integer_max = "9223372036854775807";
  if (text.front() == '-' || text.size() < integer_max.size()) return Type::integer;
  bool fits = text.size() == integer_max.size() && text <= integer_max;
  return fits ? Type::integer : Type::uinteger;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

base::Error out_of_range(std::string_view number) {
  constexpr std::size_t shown_max = 40;
  std::string shown(number.substr(0, shown_max));
  if (number.size() > shown_max) shown += "…";
  return base::invalid(fmt::format("the number {} is out of range", shown));
}

base::Result<Value> read_number(std::string_view text) {
  switch (type_of_number(text)) {
    case Type::real:
      if (auto value = parse_number<double>(text)) return Value::real(*value);
      return out_of_range(text);
    case Type::integer:
      if (auto value = parse_number<std::int64_t>(text)) return Value::integer(*value);
      return out_of_range(text);
    default:
      if (auto value = parse_number<std::uint64_t>(text)) return Value::uinteger(*value);
      return out_of_range(text);
  }
}

}  // namespace

Value Value::string(std::string utf8) {
  return Value(State(std::make_shared<const std::string>(std::move(utf8))));
}
Value Value::bytes(std::string octets) {
  return Value(State(Bytes{std::make_shared<const std::string>(std::move(octets))}));
}
Value Value::list(std::vector<Value> elements) {
  return Value(State(std::make_shared<const std::vector<Value>>(std::move(elements))));
}
Value Value::map(std::vector<Entry> entries) {
  return Value(State(std::make_shared<const std::vector<Entry>>(std::move(entries))));
}
Value Value::json(std::shared_ptr<const base::JsonDocument> document) {
  base::JsonView root = document->root();
  return json(std::move(document), root);
}
Value Value::json(std::shared_ptr<const base::JsonDocument> document, base::JsonView view) {
  return Value(State(View{std::move(document), view}));
}

const base::JsonView* Value::view() const {
  const auto* lazy = std::get_if<View>(&state_);
  return lazy == nullptr ? nullptr : &lazy->view;
}

Type Value::type() const {
  // In the order of State, without the view.
  static constexpr Type types[] = {Type::null, Type::boolean,   Type::integer,  Type::uinteger,
                                   Type::real, Type::string,    Type::bytes,    Type::list,
                                   Type::map,  Type::timestamp, Type::duration, Type::type};
  const base::JsonView* json = view();
  if (json == nullptr) return types[state_.index()];
  switch (json->type()) {
    case base::JsonType::null:
      return Type::null;
    case base::JsonType::boolean:
      return Type::boolean;
    case base::JsonType::number:
      return type_of_number(json->raw());
    case base::JsonType::string:
      return Type::string;
    case base::JsonType::array:
      return Type::list;
    case base::JsonType::object:
      return Type::map;
  }
  std::unreachable();
}

base::Result<Value> Value::read(Budget& budget) const {
  const base::JsonView* json = view();
  if (json == nullptr) return *this;
  switch (json->type()) {
    case base::JsonType::null:
      return Value();
    case base::JsonType::boolean:
      return boolean(json->boolean());
    case base::JsonType::number:
      TRY(budget.use_text(json->raw().size()));
      return read_number(json->raw());
    case base::JsonType::string:
      TRY(budget.use_text(json->raw().size()));
      TRY(budget.use_bytes(json->raw().size()));
      return string(json->string());
    default:
      return *this;
  }
}

template <class T>
const T& Value::get() const {
  const T* value = std::get_if<T>(&state_);
  CHECK(value != nullptr);
  return *value;
}

bool Value::as_boolean() const {
  return get<bool>();
}
std::int64_t Value::as_integer() const {
  return get<std::int64_t>();
}
std::uint64_t Value::as_uinteger() const {
  return get<std::uint64_t>();
}
double Value::as_real() const {
  return get<double>();
}
const std::string& Value::as_string() const {
  return *get<String>();
}
const std::string& Value::as_bytes() const {
  return *get<Bytes>().octets;
}
Timestamp Value::as_timestamp() const {
  return get<Timestamp>();
}
Duration Value::as_duration() const {
  return get<Duration>();
}
Type Value::as_type() const {
  return get<Type>();
}

Value Value::sibling(base::JsonView view) const {
  return json(get<View>().document, view);
}

std::size_t Value::size() const {
  if (const base::JsonView* json = view()) return json->size();
  return is(Type::list) ? get<List>()->size() : get<Map>()->size();
}

Value Value::element(std::size_t index) const {
  CHECK(index < size());
  const base::JsonView* json = view();
  if (json == nullptr) return (*get<List>())[index];
  auto at = json->elements().begin();
  for (std::size_t i = 0; i < index; ++i) ++at;
  return sibling(*at);
}

std::optional<Value> Value::find(std::string_view key) const {
  if (const base::JsonView* json = view()) {
    std::optional<base::JsonView> found = json->find(key);
    if (!found) return std::nullopt;
    return sibling(*found);
  }
  for (const Entry& entry : *get<Map>())
    if (entry.key.is(Type::string) && entry.key.as_string() == key) return entry.value;
  return std::nullopt;
}

std::optional<Value> Value::find(const Value& key) const {
  if (key.is(Type::string)) return find(key.as_string());
  if (view() != nullptr) return std::nullopt;  // names are strings
  for (const Entry& entry : *get<Map>())
    if (same_scalar(entry.key, key)) return entry.value;
  return std::nullopt;
}

Cursor::Cursor(const Value& container)
    : container_(container), size_(container.size()), in_map_(container.is(Type::map)) {
  const base::JsonView* json = container.view();
  if (json == nullptr) return;
  if (json->is_array()) {
    element_ = json->elements().begin();
  } else {
    member_ = json->members().begin();
  }
}

bool Cursor::next() {
  if (index_ == size_) return false;
  if (index_ > 0 && element_) ++*element_;
  if (index_ > 0 && member_) ++*member_;
  ++index_;
  return true;
}

Value Cursor::key() const {
  if (member_) return container_.sibling((**member_).name);
  if (!in_map_) return Value::integer(static_cast<std::int64_t>(index_ - 1));
  return (*container_.get<Value::Map>())[index_ - 1].key;
}

Value Cursor::value() const {
  if (element_) return container_.sibling(**element_);
  if (member_) return container_.sibling((**member_).value);
  if (!in_map_) return (*container_.get<Value::List>())[index_ - 1];
  return (*container_.get<Value::Map>())[index_ - 1].value;
}

}  // namespace model::cel
