// A value or an error, and TRY to pass the error on. Codes are free of any protocol: api/ maps them
// to HTTP statuses, app/ to exit codes, each in one switch.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace base {

enum class ErrorCode {
  malformed,           // not readable: JSON, query, cursor, header (400)
  invalid,             // readable, breaks a rule (422)
  unauthenticated,     // 401
  payment_required,    // 402
  forbidden,           // 403
  not_found,           // 404
  method_not_allowed,  // 405
  conflict,            // 409
  too_large,           // 413
  unsupported_media,   // 415
  too_many,            // 429
  upstream,            // an outside service failed (502)
  unavailable,         // busy, stopping or out of disk (503)
  timeout,             // 504
  internal,            // 500
};

/// One broken rule. `path` is an RFC 6901 pointer into the document, or the name of a query field.
struct FieldError {
  std::string path;
  std::string message;
  bool operator==(const FieldError&) const = default;
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::vector<FieldError> fields = {};
  std::optional<int> retry_after_seconds = {};
};

/// A value or an Error. `Result<>` carries no value.
template <class T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}
  Result() requires std::is_same_v<T, std::monostate>
  = default;

  explicit operator bool() const { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  Error& error() & { return std::get<1>(state_); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

inline Error malformed(std::string message) {
  return {ErrorCode::malformed, std::move(message)};
}
inline Error invalid(std::string message, std::vector<FieldError> fields = {}) {
  return {ErrorCode::invalid, std::move(message), std::move(fields)};
}
inline Error not_found(std::string message) {
  return {ErrorCode::not_found, std::move(message)};
}
inline Error conflict(std::string message) {
  return {ErrorCode::conflict, std::move(message)};
}
inline Error internal_error(std::string message) {
  return {ErrorCode::internal, std::move(message)};
}
inline Error unavailable(std::string message) {
  return {ErrorCode::unavailable, std::move(message), {}, 1};
}

}  // namespace base

/// The value of a Result, or return its error from the calling function.
#define TRY(...)                                            \
  ({                                                        \
    auto&& try_result = (__VA_ARGS__);                      \
    if (!try_result) [[unlikely]]                           \
      return std::move(try_result).error();                 \
    std::forward<decltype(try_result)>(try_result).value(); \
  })
