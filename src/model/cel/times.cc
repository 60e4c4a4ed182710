// Arithmetic on timestamps and durations, and their fields.
#include <array>

#include "model/cel/functions.h"
#include "model/cel/text.h"

#include <fmt/format.h>

namespace model::cel {

namespace {

template <class Result>
base::Result<Value> in_range(std::optional<Result> result, Value (*make)(Result)) {
  if (!result) return base::invalid("the time is out of range");
  return make(*result);
}

base::Result<Value> timestamp_plus_duration(Arguments arguments, Budget&) {
  return in_range(sum(arguments[0].as_timestamp(), arguments[1].as_duration()), Value::timestamp);
}

base::Result<Value> duration_plus_timestamp(Arguments arguments, Budget&) {
  return in_range(sum(arguments[1].as_timestamp(), arguments[0].as_duration()), Value::timestamp);
}

base::Result<Value> timestamp_minus_duration(Arguments arguments, Budget&) {
  return in_range(difference(arguments[0].as_timestamp(), arguments[1].as_duration()),
                  Value::timestamp);
}

base::Result<Value> timestamp_minus_timestamp(Arguments arguments, Budget&) {
  return in_range(difference(arguments[0].as_timestamp(), arguments[1].as_timestamp()),
                  Value::duration);
}

base::Result<Value> duration_plus_duration(Arguments arguments, Budget&) {
  Duration result;
  bool overflow = __builtin_add_overflow(arguments[0].as_duration().nanos,
                                         arguments[1].as_duration().nanos, &result.nanos);
  return in_range(overflow ? std::nullopt : std::optional(result), Value::duration);
}

base::Result<Value> duration_minus_duration(Arguments arguments, Budget&) {
  Duration result;
  bool overflow = __builtin_sub_overflow(arguments[0].as_duration().nanos,
                                         arguments[1].as_duration().nanos, &result.nanos);
  return in_range(overflow ? std::nullopt : std::optional(result), Value::duration);
}

template <CalendarField field>
base::Result<Value> calendar_field(Arguments arguments, Budget&) {
  int offset_minutes = 0;
  if (arguments.size() == 2) {
    std::optional<int> offset = parse_offset(arguments[1].as_string());
    if (!offset)
      return base::invalid(fmt::format("no time zone {}; there are UTC and offsets as \"+02:00\"",
                                       show(arguments[1])));
    offset_minutes = *offset;
  }
  return Value::integer(field_of(arguments[0].as_timestamp(), offset_minutes, field));
}

template <std::int64_t nanos>
base::Result<Value> whole_units(Arguments arguments, Budget&) {
  return Value::integer(arguments[0].as_duration().nanos / nanos);
}

base::Result<Value> milliseconds_of_second(Arguments arguments, Budget&) {
  return Value::integer(arguments[0].as_duration().nanos / 1'000'000 % 1000);
}

template <CalendarField field>
constexpr std::array<Overload, 2> getter(std::string_view name) {
  return {{{CallForm::method, name, {Type::timestamp}, Type::integer, calendar_field<field>},
           {CallForm::method,
            name,
            {Type::timestamp, Type::string},
            Type::integer,
            calendar_field<field>}}};
}

constexpr auto infix = CallForm::infix;
constexpr auto method = CallForm::method;
constexpr Type timestamp = Type::timestamp;
constexpr Type duration = Type::duration;

constexpr Overload others[] = {
    {infix, "+", {timestamp, duration}, timestamp, timestamp_plus_duration},
    {infix, "+", {duration, timestamp}, timestamp, duration_plus_timestamp},
    {infix, "+", {duration, duration}, duration, duration_plus_duration},
    {infix, "-", {timestamp, duration}, timestamp, timestamp_minus_duration},
    {infix, "-", {timestamp, timestamp}, duration, timestamp_minus_timestamp},
    {infix, "-", {duration, duration}, duration, duration_minus_duration},
    {method, "getHours", {duration}, Type::integer, whole_units<3'600'000'000'000>},
    {method, "getMinutes", {duration}, Type::integer, whole_units<60'000'000'000>},
    {method, "getSeconds", {duration}, Type::integer, whole_units<1'000'000'000>},
    {method, "getMilliseconds", {duration}, Type::integer, milliseconds_of_second},
};

}  // namespace

Overloads time_overloads() {
  static const std::vector<Overload> all = [] {
    std::vector<Overload> list(std::begin(others), std::end(others));
    auto append = [&](const auto& table) { list.insert(list.end(), table.begin(), table.end()); };
    append(getter<CalendarField::year>("getFullYear"));
    append(getter<CalendarField::month>("getMonth"));
    append(getter<CalendarField::day_of_month>("getDayOfMonth"));
    append(getter<CalendarField::date>("getDate"));
    append(getter<CalendarField::day_of_year>("getDayOfYear"));
    append(getter<CalendarField::day_of_week>("getDayOfWeek"));
    append(getter<CalendarField::hours>("getHours"));
    append(getter<CalendarField::minutes>("getMinutes"));
    append(getter<CalendarField::seconds>("getSeconds"));
    append(getter<CalendarField::milliseconds>("getMilliseconds"));
    return list;
  }();
  return all;
}

}  // namespace model::cel
