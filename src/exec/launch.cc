#include "exec/launch.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace exec {

namespace {

constexpr std::size_t stack_bytes = 256u << 10;
constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin";

struct Job {
  const Request* request = nullptr;
  pid_t parent = 0;
  const char* directory = nullptr;
  const Privileges* privileges = nullptr;
  std::vector<const char*> arguments;  // ended by nullptr
  std::vector<const char*> variables;  // ended by nullptr
  std::vector<std::string> places;     // paths to try as the program, in order
  // Written by the child:
  StartStage stage = StartStage::none;
  int error = 0;
};

std::vector<std::string> places_of(std::string_view program,
                                   const std::vector<const char*>& variables) {
  if (program.find('/') != std::string_view::npos) return {std::string(program)};
  std::string_view path = default_path;
  for (const char* variable : variables) {
    std::string_view text = variable == nullptr ? "" : variable;
    if (text.starts_with("PATH=")) {
      path = text.substr(5);
      break;
    }
  }
  std::vector<std::string> places;
  for (;;) {
    std::size_t colon = path.find(':');
    std::string place(path.substr(0, colon));
    if (!place.empty()) place += '/';  // an empty entry is the working directory
    places.push_back(place.append(program));
    if (colon == std::string_view::npos) return places;
    path.remove_prefix(colon + 1);
  }
}

Job make_job(const Request& request, const Privileges& privileges, const std::string& marker) {
  Job job;
  job.request = &request;
  job.privileges = &privileges;
  job.parent = ::getpid();
  RequestTexts texts = request.texts();
  job.directory = texts.directory;
  job.arguments = std::move(texts.arguments);
  job.arguments.push_back(nullptr);
  job.variables = std::move(texts.variables);
  // An empty environment is meant to be one.
  if (!marker.empty() && !job.variables.empty())
    job.variables.insert(job.variables.begin(), marker.c_str());
  job.variables.push_back(nullptr);
  job.places = places_of(job.arguments[0], job.variables);
  return job;
}

// From here to child_main: code of the child. It shares the memory of the spawner, which waits, so
// it allocates nothing and only makes system calls.

int fail(Job& job, StartStage stage) {
  job.error = errno;
  job.stage = stage;
  return 127;
}

bool limit(int resource, std::uint64_t soft, std::uint64_t hard) {
  if (soft == 0) return true;
  rlimit value{};
  auto id = static_cast<__rlimit_resource>(resource);
  if (::getrlimit(id, &value) != 0) return false;
  value.rlim_max = std::min<rlim_t>(value.rlim_max, hard);
  value.rlim_cur = std::min<rlim_t>(value.rlim_max, soft);
  return ::setrlimit(id, &value) == 0;
}

bool set_limits(const RequestHeader& header) {
  // SIGXCPU can be handled, so a second more until SIGKILL.
  return limit(RLIMIT_CPU, header.cpu_seconds_max, header.cpu_seconds_max + 1) &&
         limit(RLIMIT_FSIZE, header.file_bytes_max, header.file_bytes_max) &&
         limit(RLIMIT_DATA, header.memory_bytes_max, header.memory_bytes_max);
}

bool place_descriptors(const Request& request) {
  std::size_t at = 0;
  if (request.header.has_stdin != 0 && ::dup2(request.fds[at++].get(), 0) < 0) return false;
  if (::dup2(request.fds[at++].get(), 1) < 0 || ::dup2(request.fds[at++].get(), 2) < 0)
    return false;
  return request.header.has_result == 0 || ::dup2(request.fds[at].get(), 3) >= 0;
}

int execute(Job& job) {
  int error = ENOENT;
  for (const std::string& place : job.places) {
    ::execve(place.c_str(), const_cast<char* const*>(job.arguments.data()),
             const_cast<char* const*>(job.variables.data()));
    if (errno == EACCES) {
      error = EACCES;  // found, not allowed: worth more than "not found" if nothing else is found
    } else if (errno != ENOENT && errno != ENOTDIR) {
      error = errno;
      break;
    }
  }
  errno = error;
  return fail(job, StartStage::program);
}

int child_main(void* argument) {
  Job& job = *static_cast<Job*>(argument);
  const RequestHeader& header = job.request->header;
  if (::setsid() < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
      !place_descriptors(*job.request)) {
    return fail(job, StartStage::process);
  }
  if (!set_limits(header)) return fail(job, StartStage::limits);
  if (!give_up(*job.privileges, header)) return fail(job, StartStage::isolation);
  // After the change of user, which clears it.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(job, StartStage::process);
  if (::getppid() != job.parent) return 127;  // died before the death signal was set
  if (::chdir(job.directory) != 0) return fail(job, StartStage::directory);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  return execute(job);
}

}  // namespace

bool give_up(const Privileges& privileges, const RequestHeader& header) {
  if (privileges.limit_processes &&
      !limit(RLIMIT_NPROC, header.processes_max, header.processes_max)) {
    return false;
  }
  if (privileges.change_user) {
    // The system calls, because the C library's functions look for other threads.
    const auto id = header.user_id;
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, id, id, id) != 0 ||
        ::syscall(SYS_setresuid, id, id, id) != 0) {
      return false;
    }
  }
  if (!privileges.drop_capabilities) return true;
  __user_cap_header_struct version{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
         ::syscall(SYS_capset, &version, none) == 0;
}

Launcher::Launcher(Privileges privileges)
    : privileges_(privileges),
      stack_(::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  CHECK(stack_ != MAP_FAILED);
}

Launcher::~Launcher() {
  ::munmap(stack_, stack_bytes);
}

LaunchOutcome Launcher::launch(const Request& request, const std::string& marker) {
  Job job = make_job(request, privileges_, marker);
  char* top = static_cast<char*>(stack_) + stack_bytes;  // stacks grow downwards
  pid_t pid = ::clone(child_main, top, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
  if (pid < 0) return {-1, StartStage::process, errno};
  // A change of user in the child counts as one of this process, whose memory it shares.
  if (privileges_.change_user) ::prctl(PR_SET_DUMPABLE, 0);
  if (job.stage == StartStage::none) return {pid, StartStage::none, 0};
  ::waitpid(pid, nullptr, 0);
  return {-1, job.stage, job.error};
}

}  // namespace exec
