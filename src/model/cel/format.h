// `"%d of %s".format([…])`: https://github.com/google/cel-go/tree/master/ext#strings.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/cel/budget.h"
#include "model/cel/value.h"

namespace model::cel {

/// Clauses: %s any value; %d numbers; %b %o %x %X integers (%b also bool, %x also string and
/// bytes); %f %e numbers, with a precision as %.2f; %% is a percent sign.
base::Result<std::string> format(std::string_view pattern, const Value& arguments, Budget& budget);

}  // namespace model::cel
