// A nest: the process in which one attempt lives. It starts the attempt's program, adopts what that
// leaves behind, ends it all, and reports. Where isolation is to be had it is the init of a pid
// namespace of its own, with mounts of its own, so nothing of the attempt outlives it.
#pragma once

#include <string>
#include <vector>

#include "exec/attempt_users.h"
#include "exec/cgroup.h"
#include "exec/file_view.h"
#include "exec/launch.h"
#include "exec/unique_fd.h"

namespace exec {

struct NestOptions {
  bool isolated = false;
  bool user_namespace = false;          // of its own, too
  bool drop_capabilities = false;       // attempts, where the spawner has some
  const FileView* view = nullptr;       // when isolated
  const CgroupTree* cgroups = nullptr;  // where there is none, rlimits do
  AttemptUsers users;
  std::string marker_prefix;
  std::vector<int> kept;  // descriptors that every nest holds for as long as it lives
};

struct NestProcess {
  pid_t pid = -1;   // -1: not made
  UniqueFd socket;  // requests go in, reports come out; closing it ends the nest
  int error = 0;
};

/// Starts a nest from this process, which must have one thread. It says nothing when it is ready:
/// requests wait in the socket. If it cannot be set up its first packet is encode_nest_failure().
NestProcess make_nest(const NestOptions& options);

std::string encode_nest_failure(const ViewFailure& failure);

}  // namespace exec
