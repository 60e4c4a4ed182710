// The spawner: a process with one thread that has the nests (nest.h) in which attempts live, passes
// requests and reports between them and the server, and ends them all when the server dies. See
// process.h.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "exec/attempt_table.h"
#include "exec/isolation_probe.h"
#include "exec/nest_table.h"
#include "exec/process.h"
#include "exec/process_tree.h"
#include "exec/spawner_protocol.h"

namespace exec {

namespace {

constexpr int first_free_fd = 4;  // 0, 1, 2 and the result channel belong to the processes

/// Everything blocked and nothing ignored, so that a child only has to clear its mask.
void reset_signals() {
  // The system call, because the C library keeps two signals for itself and ignores them in what it
  // spawns. All zeros is the default disposition.
  constexpr std::size_t kernel_mask_bytes = 8;
  const std::uint64_t by_default[4] = {};
  for (int signal = 1; signal < NSIG; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, by_default, nullptr, kernel_mask_bytes);
  }
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

/// What every process started from here inherits.
void set_inherited() {
  ::umask(022);
  rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_max = std::min(files.rlim_max, rlim_t{base::limits::attempt_open_files_max});
  files.rlim_cur = std::min(files.rlim_max, rlim_t{base::limits::attempt_open_files_soft});
  ::setrlimit(RLIMIT_NOFILE, &files);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/// Leaves /dev/null as 0 and 1, standard error, and the socket; returns the socket's new number,
/// or -1. All but 0 to 2 are close-on-exec.
int settle_descriptors(int socket) {
  UniqueFd opened(::open("/dev/null", O_RDWR | O_CLOEXEC));
  UniqueFd null(::fcntl(opened.get(), F_DUPFD_CLOEXEC, first_free_fd));
  socket = ::fcntl(socket, F_DUPFD_CLOEXEC, first_free_fd);
  if (!null || socket < 0) return -1;
  ::dup2(null.get(), 0);
  ::dup2(null.get(), 1);
  if (::fcntl(2, F_GETFD) < 0) ::dup2(null.get(), 2);
  ::dup3(null.get(), 3, O_CLOEXEC);
  opened.release();
  null.release();
  ::close_range(first_free_fd, static_cast<unsigned>(socket) - 1, 0);
  ::close_range(static_cast<unsigned>(socket) + 1, ~0u, 0);
  return socket;
}

/// Waits until the spawner of an earlier server lets go of the lock. Returns its marker prefix.
std::optional<std::string> take_lock(const std::string& path, UniqueFd& lock) {
  lock.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  while (lock && ::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) lock.reset();
  }
  struct stat status {};
  if (!lock || ::fstat(lock.get(), &status) != 0) return std::nullopt;
  return marker_prefix(status.st_dev, status.st_ino);
}

/// Tries a nest of these options. What is wrong with it, or nothing.
std::optional<std::string> try_nest(const NestOptions& options) {
  NestProcess nest = make_nest(options);
  if (nest.pid < 0) return fmt::format("no namespaces: {}", std::strerror(nest.error));
  Request request;
  request.header.kind = RequestKind::probe;
  request.header.id = 1;
  request.header.user_id = options.users.id_of("");
  request.header.processes_max = base::limits::attempt_processes_max;
  std::optional<std::string> wrong = "a process that tried it did not answer";
  auto packet = encode_again(std::move(request));
  pollfd answer{nest.socket.get(), POLLIN, 0};
  constexpr int wait_ms = std::chrono::milliseconds(base::limits::isolation_probe_timeout).count();
  PacketReader reader;
  std::span<const char> bytes;
  std::vector<UniqueFd> fds;
  if (packet && send_packet(nest.socket.get(), packet->bytes, {}) == Transfer::done &&
      ::poll(&answer, 1, wait_ms) == 1 &&
      reader.receive(nest.socket.get(), bytes, fds) == Transfer::done &&
      bytes.size() >= sizeof(Report)) {
    Report report;
    std::memcpy(&report, bytes.data(), sizeof report);
    std::string_view text(bytes.data() + sizeof report, bytes.size() - sizeof report);
    if (report.kind == ReportKind::not_started) {
      wrong = fmt::format("{}: {}", text, std::strerror(report.error));
    } else if (report.exit_code != 0) {
      wrong = probe_text(report.exit_code);
    } else {
      wrong.reset();
    }
  }
  ::kill(nest.pid, SIGKILL);
  while (::waitpid(nest.pid, nullptr, 0) < 0 && errno == EINTR) continue;
  return wrong;
}

/// Finds out what isolation this machine gives, and sets the options for it.
Isolation establish(NestOptions& options) {
  options.isolated = true;
  options.user_namespace = true;
  std::optional<std::string> wrong;
  if (!options.users.has_range()) {
    // A server that is not root can make mounts in namespaces of its own only.
    int error = enter_own_namespaces();
    options.drop_capabilities = error == 0;
    if (error != 0) wrong = fmt::format("no user namespace: {}", std::strerror(error));
  }
  if (!wrong) wrong = try_nest(options);
  if (!wrong) return {IsolationLevel::full, ""};
  std::string reason = *wrong;
  options.user_namespace = false;
  if (options.users.has_range()) {
    wrong = try_nest(options);
    if (!wrong) return {IsolationLevel::partial, "no user namespaces: " + reason};
    reason = *wrong;
  }
  options.isolated = false;
  return {IsolationLevel::none, reason};
}

class Spawner {
 public:
  Spawner(int socket, NestOptions options, const Isolation& isolation)
      : socket_(socket), nests_(clock_, std::move(options)) {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    send_packet(socket_, encode_ready(isolation), {});
  }

  /// Until the server is gone.
  void run() {
    bool connected = true;
    std::vector<pollfd> waits;
    while (connected) {
      waits = {{socket_, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      if (!nests_.reports().empty()) waits[0].events |= POLLOUT;
      nests_.add_waits(waits);
      ::poll(waits.data(), waits.size(), nests_.wait_ms());
      for (std::size_t i = 2; i < waits.size(); ++i)
        if (waits[i].revents != 0) nests_.on_ready(waits[i]);
      if (waits[1].revents != 0) on_child_death();
      connected = send_reports();
      if ((waits[0].revents & ~POLLOUT) != 0) connected = connected && on_request();
      connected = connected && send_reports();
      nests_.on_time();
    }
  }

 private:
  void on_child_death() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) > 0) continue;
    nests_.reap();
  }

  bool on_request() {
    std::span<const char> bytes;
    std::vector<UniqueFd> fds;
    Transfer transfer = reader_.receive(socket_, bytes, fds);
    if (transfer != Transfer::done) return transfer == Transfer::not_now;
    auto request = decode_request(bytes, std::move(fds));
    if (request) {
      handle(std::move(*request));
    } else if (bytes.size() >= sizeof(RequestHeader)) {
      // Its descriptors or its memory file did not arrive: this process has run out of them.
      RequestHeader header;
      std::memcpy(&header, bytes.data(), sizeof header);
      Report report{ReportKind::not_started, StartStage::process, header.id, EMFILE};
      nests_.reports().push_back(report);
    }
    return true;
  }

  void handle(Request request) {
    switch (request.header.kind) {
      case RequestKind::start:
        return nests_.start(std::move(request));
      case RequestKind::stop:
        return nests_.stop(request.header.id);
      case RequestKind::kill:
        return nests_.kill(request.header.id);
      case RequestKind::probe:
      case RequestKind::start_warm:
        return;  // between spawner and nest only
    }
  }

  bool send_reports() {
    auto& reports = nests_.reports();
    while (!reports.empty()) {
      const char* bytes = reinterpret_cast<const char*>(&reports.front());
      Transfer transfer = send_packet(socket_, {bytes, sizeof(Report)}, {});
      if (transfer != Transfer::done) return transfer == Transfer::not_now;
      reports.pop_front();
    }
    return true;
  }

  int socket_;
  base::SystemClock clock_;
  UniqueFd signals_;
  NestTable nests_;
  PacketReader reader_;
};

}  // namespace

int run_spawner(std::span<char* const> arguments) {
  if (arguments.size() < 3) return 2;
  ::prctl(PR_SET_NAME, "dagy-spawner");
  ::prctl(PR_SET_DUMPABLE, 0);
  ::setsid();
  reset_signals();
  int socket = settle_descriptors(std::atoi(arguments[0]));
  if (socket < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  std::string lock_path = arguments[1];
  UniqueFd lock;
  auto prefix = take_lock(lock_path, lock);
  if (!prefix) {
    base::log_error("spawner: no lock", {{"path", lock_path}, {"error", std::strerror(errno)}});
    return 1;
  }
  set_inherited();
  kill_marked(*prefix, ::getppid());
  NestOptions options;
  options.marker_prefix = *prefix;
  options.users = AttemptUsers::detect();
  // With these a nest keeps the next server waiting, and the server from taking it for gone, also
  // when the spawner was killed, until nothing lives in it.
  options.kept = {lock.get(), socket};
  FileView view({lock_path.substr(0, lock_path.rfind('/')),
                 {arguments.begin() + 3, arguments.end()},
                 options.users.has_range()});
  options.view = &view;
  Isolation isolation{IsolationLevel::none, "switched off"};
  std::optional<CgroupTree> cgroups;
  if (std::string_view(arguments[2]) == "1") {
    auto found = CgroupTree::find();
    if (found) cgroups = std::move(found).value();
    isolation = establish(options);
    if (cgroups) options.cgroups = &*cgroups;
    isolation.has_cgroups = cgroups.has_value();
  }
  Spawner(socket, std::move(options), isolation).run();
  kill_all_descendants();
  return 0;
}

}  // namespace exec
