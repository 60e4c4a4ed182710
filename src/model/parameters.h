// Values of parameters: their types, and what a run is given.
#pragma once

#include "model/flow_spec.h"

namespace model {

/// Reports a value that is not of the parameter's type, or not one of its enum.
void check_parameter(const ParameterSpec& parameter, base::JsonView value, const base::Path& path,
                     base::FieldErrors& errors);

/// Reports given parameters that are not declared or not of their type. Absent ones are no fault.
void check_given(const std::vector<ParameterSpec>& declared, base::JsonView given,
                 const base::Path& path, base::FieldErrors& errors);

/// Parameters of a run: the given ones checked, the defaults filled in. `given` is an object. Error
/// `invalid` lists every broken rule with paths under `name`, the member that holds them.
base::Result<std::string> resolve_parameters(const std::vector<ParameterSpec>& declared,
                                             base::JsonView given,
                                             std::string_view name = "parameters");

}  // namespace model
