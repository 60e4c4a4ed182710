// Appends compact JSON to a string. Commas are placed by the writer; nesting is the caller's duty.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace base {

/// `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD, so output is always JSON.
void append_json_string(std::string& out, std::string_view text);
/// The shortest decimal that reads back as the same double; NaN and infinities become null.
void append_json_number(std::string& out, double value);

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& integer(std::int64_t value);
  JsonWriter& number(double value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  /// Text that is JSON already.
  JsonWriter& raw(std::string_view json);

  JsonWriter& member(std::string_view name, std::string_view text) {
    return key(name).string(text);
  }
  JsonWriter& member(std::string_view name, const char* text) { return key(name).string(text); }
  JsonWriter& member(std::string_view name, bool value) { return key(name).boolean(value); }
  template <std::integral N>
  requires(!std::same_as<N, bool>) JsonWriter& member(std::string_view name, N value) {
    return key(name).integer(static_cast<std::int64_t>(value));
  }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void separate();

  std::string& out_;
  bool comma_ = false;
};

}  // namespace base
