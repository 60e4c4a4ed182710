// Places in an expression's text, as messages name them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace model::cel {

/// "line:column: message" in front of the error's message; columns count code points from 1.
base::Error at(std::string_view source, std::size_t offset, base::Error error);

}  // namespace model::cel
