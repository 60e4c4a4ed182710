#include "exec/nest.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "exec/attempt_loop.h"

namespace exec {

namespace {

constexpr std::string_view go = "go";

void close_all_but(std::vector<int> kept) {
  constexpr int first_free_fd = 4;  // 0 to 3 are the attempts' places
  std::sort(kept.begin(), kept.end());
  unsigned next = first_free_fd;
  for (int fd : kept) {
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = std::max(next, static_cast<unsigned>(fd) + 1);
  }
  ::close_range(next, ~0u, 0);
}

/// User namespaces inside of this one would give back what attempts give up, over their own mounts.
ViewFailure forbid_namespaces() {
  UniqueFd file(::open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), "0", 1) != 1) return {"forbidding user namespaces", errno};
  return {};
}

ViewFailure set_up(const NestOptions& options, int socket) {
  if (options.user_namespace) {
    char word[8];
    while (::recv(socket, word, sizeof word, 0) < 0 && errno == EINTR) continue;
  }
  ::prctl(PR_SET_DUMPABLE, 0);
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);  // ENOSYS: there are no keys
  if (ViewFailure failure = options.view->apply(); failure.step != nullptr) return failure;
  if (options.user_namespace) {
    if (ViewFailure failure = forbid_namespaces(); failure.step != nullptr) return failure;
  }
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  return {};
}

void end_everything(bool is_init) {
  if (!is_init) return kill_all_descendants();
  ::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) continue;
}

int live(const NestOptions& options, int socket) {
  ::prctl(PR_SET_NAME, "dagy-nest");
  std::vector<int> kept = options.kept;
  kept.push_back(socket);
  close_all_but(std::move(kept));
  ::setsid();
  if (options.isolated) {
    ViewFailure failure = set_up(options, socket);
    if (failure.step != nullptr) {
      send_packet(socket, encode_nest_failure(failure), {});
      return 1;
    }
  }
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  AttemptTable::Options table;
  table.privileges.drop_capabilities = options.isolated || options.drop_capabilities;
  table.privileges.change_user = options.isolated && options.users.has_range();
  table.privileges.limit_processes = options.isolated;
  table.is_init = options.isolated;
  if (!options.isolated) table.marker_prefix = options.marker_prefix;
  AttemptLoop(socket, options.isolated ? options.view : nullptr, std::move(table)).run();
  end_everything(options.isolated);
  return 0;
}

pid_t clone_process(unsigned long flags) {
  return static_cast<pid_t>(
      ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

}  // namespace

NestProcess make_nest(const NestOptions& options) {
  NestProcess nest;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    nest.error = errno;
    return nest;
  }
  nest.socket.reset(ends[0]);
  UniqueFd inside(ends[1]);
  unsigned long flags = 0;
  if (options.isolated) flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (options.user_namespace) flags |= CLONE_NEWUSER;
  // What may not be dumped belongs to root in /proc, so that only root could write its maps.
  if (options.user_namespace) ::prctl(PR_SET_DUMPABLE, 1);
  nest.pid = clone_process(flags);
  if (nest.pid == 0) ::_exit(live(options, inside.get()));
  if (nest.pid < 0) nest.error = errno;
  if (options.user_namespace && nest.pid > 0) {
    nest.error = options.users.write_maps(nest.pid);
    if (nest.error == 0 && send_packet(nest.socket.get(), go, {}) != Transfer::done)
      nest.error = EPIPE;
  }
  if (options.user_namespace) ::prctl(PR_SET_DUMPABLE, 0);
  if (nest.error != 0 && nest.pid > 0) {
    ::kill(nest.pid, SIGKILL);
    ::waitpid(nest.pid, nullptr, 0);
    nest.pid = -1;
  }
  return nest;
}

std::string encode_nest_failure(const ViewFailure& failure) {
  Report report{ReportKind::not_started, StartStage::isolation, 0, failure.error};
  return std::string(reinterpret_cast<const char*>(&report), sizeof report) + failure.step;
}

}  // namespace exec
