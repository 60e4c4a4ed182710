#include "exec/launch.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/check.h"

namespace exec {

namespace {

constexpr std::size_t stack_bytes = 256u << 10;
constexpr std::string_view default_path = "/usr/local/bin:/usr/bin:/bin";

struct Job {
  const Request* request = nullptr;
  pid_t spawner = 0;
  const char* directory = nullptr;
  std::vector<char*> arguments;     // ended by nullptr
  std::vector<char*> variables;     // ended by nullptr
  std::vector<std::string> places;  // paths to try as the program, in order
  // Written by the child:
  StartStage stage = StartStage::none;
  int error = 0;
};

std::vector<std::string> places_of(std::string_view program, const std::vector<char*>& variables) {
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

Job make_job(const Request& request, const std::string& marker) {
  Job job;
  job.request = &request;
  job.spawner = ::getpid();
  char* text = const_cast<char*>(request.payload.data());
  auto next = [&text] { return std::exchange(text, text + std::string_view(text).size() + 1); };
  job.directory = next();
  for (std::uint32_t i = 0; i < request.header.argument_count; ++i) job.arguments.push_back(next());
  job.arguments.push_back(nullptr);
  job.variables.push_back(const_cast<char*>(marker.c_str()));
  for (std::uint32_t i = 0; i < request.header.variable_count; ++i) job.variables.push_back(next());
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
         limit(RLIMIT_AS, header.memory_bytes_max, header.memory_bytes_max);
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
    ::execve(place.c_str(), job.arguments.data(), job.variables.data());
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
  if (::setsid() < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || !place_descriptors(*job.request)) {
    return fail(job, StartStage::process);
  }
  if (::getppid() != job.spawner) return 127;  // died before the death signal was set
  if (::chdir(job.directory) != 0) return fail(job, StartStage::directory);
  if (!set_limits(job.request->header)) return fail(job, StartStage::limits);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  return execute(job);
}

}  // namespace

Launcher::Launcher()
    : stack_(::mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  CHECK(stack_ != MAP_FAILED);
}

Launcher::~Launcher() {
  ::munmap(stack_, stack_bytes);
}

LaunchOutcome Launcher::launch(const Request& request, const std::string& marker) {
  Job job = make_job(request, marker);
  char* top = static_cast<char*>(stack_) + stack_bytes;  // stacks grow downwards
  pid_t pid = ::clone(child_main, top, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
  if (pid < 0) return {-1, StartStage::process, errno};
  if (job.stage == StartStage::none) return {pid, StartStage::none, 0};
  ::waitpid(pid, nullptr, 0);
  return {-1, job.stage, job.error};
}

}  // namespace exec
