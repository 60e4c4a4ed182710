// Whether isolation holds: looked at by a process that is given up to it like an attempt.
#pragma once

#include <string_view>

#include "exec/file_view.h"
#include "exec/launch.h"

namespace exec {

/// Starts the process in this nest and waits for it. 0: it holds; else what does not, for the text.
int run_isolation_probe(const FileView& view, const Privileges& privileges,
                        const RequestHeader& header);
std::string_view probe_text(int code);

}  // namespace exec
