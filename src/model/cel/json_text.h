// A value as JSON text: the way out of the language.
#pragma once

#include <string>

#include "base/result.h"
#include "model/cel/budget.h"
#include "model/cel/value.h"

namespace model::cel {

/// Appends the value as JSON. What comes from a document is its text byte by byte; doubles keep a
/// fraction or an exponent (2.0); timestamps and durations are their texts, bytes are base64, and
/// keys that are int, uint or bool become names. Error `invalid` for what JSON has no text for (NaN
/// and infinities, types, U+0000) or that is nested deeper than documents may be.
base::Result<> append_json(std::string& out, const Value& value, Budget& budget);

/// Appends what stands for the value inside a longer text: strings, timestamps, durations and bytes
/// without quotes, all else as JSON.
base::Result<> append_text(std::string& out, const Value& value, Budget& budget);

}  // namespace model::cel
