#include "model/cel/budget.h"

#include <fmt/format.h>

namespace model::cel {

base::Result<> Budget::use(std::size_t& left, std::size_t amount, const char* unit) {
  if (amount <= left) [[likely]] {
    left -= amount;
    return {};
  }
  left = 0;
  exhausted_ = true;
  return base::Error{base::ErrorCode::too_large,
                     fmt::format("the expression used up its budget of {}", unit)};
}

}  // namespace model::cel
