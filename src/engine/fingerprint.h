// Which failures are the same: a hash of the flow, the failed task, the kind and the message
// without what differs from run to run (numbers, ids, addresses).
#pragma once

#include <string>
#include <string_view>

#include "model/value.h"

namespace engine {

/// 16 lower-case hexadecimal digits.
std::string fingerprint(std::string_view flow_name, std::string_view task_id,
                        const model::Failure& failure);

/// The message with every number and every word that looks like an id replaced by '#'.
std::string without_particulars(std::string_view message);

}  // namespace engine
