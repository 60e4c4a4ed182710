#include "cli/exit_code.h"

#include <fmt/format.h>

#include "cli/output.h"

namespace cli {

int exit_code(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::invalid:
    case base::ErrorCode::malformed:
      return 2;
    case base::ErrorCode::unauthenticated:
    case base::ErrorCode::forbidden:
      return 3;
    case base::ErrorCode::unavailable:
    case base::ErrorCode::upstream:
    case base::ErrorCode::timeout:
      return 4;
    case base::ErrorCode::not_found:
      return 5;
    default:
      return 1;
  }
}

int finish(const base::Result<>& result) {
  if (result) return 0;
  const base::Error& error = result.error();
  std::string text = fmt::format("dagy: {}\n", error.message);
  if (error.fields.size() > 1)  // the message has the first
    for (const base::FieldError& field : error.fields)
      text += fmt::format("  {}: {}\n", field.path, field.message);
  fmt::print(stderr, "{}", printable(text));
  return exit_code(error.code);
}

}  // namespace cli
