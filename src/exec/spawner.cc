// The spawner: a process with one thread that starts the processes of attempts, knows when nothing
// of an attempt lives any more, and ends them all when the server dies. See process.h.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "exec/attempt_table.h"
#include "exec/process.h"
#include "exec/process_tree.h"
#include "exec/spawner_protocol.h"

namespace exec {

namespace {

constexpr rlim_t open_files_soft = 1024;
constexpr rlim_t open_files_hard = 65536;
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
  files.rlim_max = std::min(files.rlim_max, open_files_hard);
  files.rlim_cur = std::min(files.rlim_max, open_files_soft);
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

class Spawner {
 public:
  Spawner(int socket, std::string marker_prefix)
      : socket_(socket), table_(clock_, std::move(marker_prefix)) {
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
    table_.reports().push_back(Report{});
  }

  /// Until the server is gone.
  void run() {
    bool connected = send_reports();
    while (connected) {
      pollfd waits[] = {{socket_, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
      if (!table_.reports().empty()) waits[0].events |= POLLOUT;
      ::poll(waits, 2, table_.wait_ms());
      if (waits[1].revents != 0) on_child_death();
      if ((waits[0].revents & ~POLLOUT) != 0) connected = on_request();
      table_.on_time();
      connected = connected && send_reports();
    }
  }

 private:
  void on_child_death() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) > 0) continue;
    table_.reap();
  }

  bool on_request() {
    std::span<const char> bytes;
    std::vector<UniqueFd> fds;
    Transfer transfer = reader_.receive(socket_, bytes, fds);
    if (transfer != Transfer::done) return transfer == Transfer::not_now;
    auto request = decode_request(bytes, std::move(fds));
    if (request) {
      handle(*request);
    } else if (bytes.size() >= sizeof(RequestHeader)) {
      // Its descriptors or its memory file did not arrive: this process has run out of them.
      RequestHeader header;
      std::memcpy(&header, bytes.data(), sizeof header);
      Report report{ReportKind::not_started, StartStage::process, header.id, EMFILE};
      table_.reports().push_back(report);
    }
    return true;
  }

  void handle(const Request& request) {
    switch (request.header.kind) {
      case RequestKind::start:
        return table_.start(request);
      case RequestKind::stop:
        return table_.stop(request.header.id);
      case RequestKind::kill:
        return table_.kill(request.header.id);
    }
  }

  bool send_reports() {
    auto& reports = table_.reports();
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
  AttemptTable table_;
  PacketReader reader_;
};

}  // namespace

int run_spawner(int socket, const std::string& lock_path) {
  ::prctl(PR_SET_NAME, "dagy-spawner");
  ::setsid();
  reset_signals();
  socket = settle_descriptors(socket);
  if (socket < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return 1;
  UniqueFd lock;
  auto prefix = take_lock(lock_path, lock);
  if (!prefix) {
    base::log_error("spawner: no lock", {{"path", lock_path}, {"error", std::strerror(errno)}});
    return 1;
  }
  set_inherited();
  kill_marked(*prefix, ::getppid());
  Spawner(socket, *prefix).run();
  kill_all_descendants();
  return 0;
}

}  // namespace exec
