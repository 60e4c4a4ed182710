#include "model/cel/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/cel/code_points.h"

namespace model::cel {

base::Error at(std::string_view source, std::size_t offset, base::Error error) {
  std::string_view before = source.substr(0, offset);
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  std::string_view in_line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
  error.message = fmt::format("{}:{}: {}", line, 1 + code_points(in_line), error.message);
  return error;
}

}  // namespace model::cel
