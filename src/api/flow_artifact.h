// The artifact of a flow version that is to be registered.
#pragma once

#include <optional>
#include <string>

#include "api/route.h"
#include "model/flow_spec.h"

namespace api {

/// The SHA-256 of the artifact, or nothing without one. Error `invalid` when the organization has
/// no such artifact, when it is not a sound ZIP file, or when a module that a task names is not in
/// it. Unpacks it where no attempt has yet.
base::Result<std::optional<std::string>> check_artifact(const Call& call,
                                                        const std::optional<std::string>& uri,
                                                        const model::FlowSpec& spec);

}  // namespace api
