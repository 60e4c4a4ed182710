// What /proc says about a process and its children.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

std::string read_file(const std::string& path);
/// The process first.
std::vector<pid_t> with_children(pid_t pid);
/// CPU seconds of all threads; 0 for a process that is gone.
double own_cpu_seconds(pid_t pid);
/// CPU seconds of the children that it has waited for, and theirs.
double ended_children_cpu_seconds(pid_t pid);
/// Resident memory, shared pages too.
double resident_mb(pid_t pid);

}  // namespace bench
