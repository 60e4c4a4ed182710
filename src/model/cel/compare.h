// Equality and order of values. Numbers of different types compare as numbers: 1 == 1u == 1.0.
// Source: CEL language definition, "Equality" and "Ordering".
#pragma once

#include <compare>
#include <optional>

#include "base/result.h"
#include "model/cel/budget.h"
#include "model/cel/value.h"

namespace model::cel {

/// Of values that have been read and are no list or map; values of different types are not the same
/// unless both are numbers.
bool same_scalar(const Value& left, const Value& right);

/// Deep equality. Fails only for numbers of a document that are out of range.
base::Result<bool> equal(const Value& left, const Value& right, Budget& budget);

/// Order of two read values; nothing if their types have none. NaN is unordered.
std::optional<std::partial_ordering> order(const Value& left, const Value& right);

}  // namespace model::cel
