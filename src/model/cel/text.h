// Scalars as text.
#pragma once

#include <string>
#include <string_view>

#include "model/cel/value.h"

namespace model::cel {

/// The shortest decimal that reads back as the same double; without an exponent from 1e-6 to 1e21.
/// "NaN", "Infinity", "-Infinity".
std::string to_text(double value);

/// A short form of a key or index for messages.
std::string show(const Value& value);

}  // namespace model::cel
