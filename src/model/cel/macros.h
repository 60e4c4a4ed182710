// Calls that are no functions: they name a variable or look at their argument's form.
#pragma once

#include <optional>

#include "base/result.h"
#include "model/cel/ast.h"

namespace model::cel {

/// The tree of a macro's call, or nothing if the call is none: `has(a.b)`, `list.map(x, …)`,
/// `cel.bind(x, …)`. The call is taken apart only if it is a macro. An error's place is `offset`.
base::Result<std::optional<Expr::Node>> expand_macro(Call& call, std::size_t& offset);

}  // namespace model::cel
