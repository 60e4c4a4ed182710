// ProcessHost: hands requests to the spawner and runs the one thread that reads all output.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "base/check.h"
#include "base/log.h"
#include "base/thread_safety.h"
#include "exec/host_process.h"
#include "exec/process.h"
#include "exec/process_tree.h"
#include "exec/spawner_protocol.h"

namespace exec {

namespace {

constexpr std::size_t read_bytes = 64u << 10;  // the capacity of a pipe
constexpr std::size_t events_max = 64;
constexpr auto close_margin = std::chrono::seconds(2);
constexpr int spawner_fd = 3;  // the socket, as the spawner finds it

// Keys of epoll with process id 0, which no process has.
constexpr std::uint64_t socket_key = 0;
constexpr std::uint64_t wake_key = 1;

base::Error system_error(std::string what) {
  return base::unavailable(what + ": " + std::system_category().message(errno));
}

base::Result<pid_t> start_spawner(const ProcessHostOptions& options, const std::string& lock_path,
                                  int socket) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, socket, spawner_fd);
  std::vector<std::string> words = {options.spawner_path, "spawner", std::to_string(spawner_fd),
                                    lock_path, options.isolate ? "1" : "0"};
  words.insert(words.end(), options.allowed_paths.begin(), options.allowed_paths.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  char* no_environment[] = {nullptr};
  pid_t pid = -1;
  int error = ::posix_spawn(&pid, options.spawner_path.c_str(), &actions, nullptr, arguments.data(),
                            no_environment);
  ::posix_spawn_file_actions_destroy(&actions);
  errno = error;
  if (error != 0) return system_error("cannot start the spawner " + options.spawner_path);
  return pid;
}

void wait_for_exit(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
}

/// For a spawner that was asked to go: it stays as long as the kernel does not let it end
/// something.
void wait_for_exit_some_time(pid_t pid) {
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  constexpr int wait_ms = std::chrono::milliseconds(close_margin).count();
  if (!process || ::poll(&ended, 1, wait_ms) > 0) return wait_for_exit(pid);
  base::log_warning("processes cannot be ended, the spawner waits for them");
}

/// The spawner says that it has the lock, or dies, or the time is over.
base::Result<Isolation> wait_until_ready(int socket, base::Clock& clock,
                                         std::chrono::milliseconds wait) {
  auto deadline = clock.steady() + wait;
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.steady());
    pollfd readable{socket, POLLIN, 0};
    int n = ::poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error("waiting for the spawner");
    if (n == 0) {
      return base::unavailable("processes of an earlier server still live: spawner.lock is held");
    }
    PacketReader reader;
    std::span<const char> bytes;
    std::vector<UniqueFd> fds;
    if (reader.receive(socket, bytes, fds) == Transfer::done) {
      if (auto isolation = decode_ready(bytes)) return *isolation;
    }
    return base::unavailable("the spawner ended at once");
  }
}

void add_to_epoll(int epoll, int fd, std::uint64_t key) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  CHECK(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

}  // namespace

class ProcessHost::Impl {
 public:
  Impl(base::Clock& clock, UniqueFd socket, pid_t spawner, std::string marker_prefix,
       Isolation isolation)
      : clock_(clock),
        isolation_(std::move(isolation)),
        spawner_(spawner),
        marker_prefix_(std::move(marker_prefix)),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        buffer_(read_bytes),
        socket_(std::move(socket)) {
    CHECK(epoll_ && wake_);
    add_to_epoll(epoll_.get(), socket_.get(), socket_key);
    add_to_epoll(epoll_.get(), wake_.get(), wake_key);
    thread_ = std::thread([this] { run(); });
  }

  ~Impl() {
    close();
    thread_.join();
    {
      base::MutexLock lock(mutex_);
      socket_.reset();  // the spawner ends
    }
    if (spawner_ > 0) wait_for_exit_some_time(spawner_);
  }

  const Isolation& isolation() const { return isolation_; }

  ProcessId start(ProcessSpec spec, ProcessCallbacks callbacks) {
    ProcessId id = next_id_.fetch_add(1, std::memory_order_relaxed);
    auto packet = encode_start(id, spec);
    if (!packet) {
      refuse(std::move(packet).error(), std::move(callbacks));
      return id;
    }
    auto process = std::make_unique<HostProcess>(id, spec, callbacks);
    auto begun = process->open(spec, packet->fds);
    if (begun) begun = submit(id, std::move(process), std::move(packet).value());
    if (!begun) refuse(std::move(begun).error(), std::move(callbacks));
    return id;
  }

  void stop(ProcessId id) {
    base::MutexLock lock(mutex_);
    if (processes_.contains(id)) order(RequestKind::stop, id);
  }

  void on_spawner_death(std::function<void()> callback) {
    base::MutexLock lock(mutex_);
    on_death_ = std::move(callback);
    wake();
  }

 private:
  struct Refused {
    base::Error error;
    ProcessCallbacks callbacks;
  };

  base::Result<> submit(ProcessId id, std::unique_ptr<HostProcess> process, Packet packet) {
    base::MutexLock lock(mutex_);
    if (spawner_gone_ || closing_) return base::unavailable("the process spawner has ended");
    TRY(process->watch(epoll_.get()));
    processes_.emplace(id, std::move(process));
    outbox_.push_back(std::move(packet));
    flush();
    return {};
  }

  void refuse(base::Error error, ProcessCallbacks callbacks) {
    base::MutexLock lock(mutex_);
    refused_.push_back({std::move(error), std::move(callbacks)});
    wake();
  }

  void order(RequestKind kind, ProcessId id) REQUIRES(mutex_) {
    outbox_.push_back(encode_order(kind, id));
    flush();
  }

  /// Sends what the socket takes. What is left goes when epoll says that there is room.
  void flush() REQUIRES(mutex_) {
    while (!outbox_.empty() && socket_) {
      const Packet& packet = outbox_.front();
      Transfer transfer = send_packet(socket_.get(), packet.bytes, packet.fds);
      if (transfer == Transfer::closed) return;  // the host's thread sees it too
      if (transfer == Transfer::not_now) break;
      outbox_.pop_front();
    }
    if (outbox_.empty() == !waits_for_room_ || !socket_) return;
    waits_for_room_ = !outbox_.empty();
    epoll_event event{};
    event.events = waits_for_room_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = socket_key;
    CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, socket_.get(), &event) == 0);
  }

  void wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof one);
  }

  /// Asks every process to end; the thread returns when all have.
  void close() EXCLUDES(mutex_) {
    CHECK(std::this_thread::get_id() != thread_.get_id());
    base::MutexLock lock(mutex_);
    closing_ = true;
    std::chrono::milliseconds grace{0};
    for (const auto& [id, process] : processes_) {
      grace = std::max(grace, process->grace());
      order(RequestKind::stop, id);
    }
    close_deadline_ = clock_.steady() + grace + close_margin;
    wake();
  }

  void run() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // also SIGPIPE, of standard inputs
    ::pthread_setname_np(::pthread_self(), "process-host");
    epoll_event events[events_max];
    for (;;) {
      int n = ::epoll_wait(epoll_.get(), events, events_max, wait_ms());
      for (int i = 0; i < n; ++i) on_event(events[i]);
      tell_refused();
      tell_death();
      if (is_closed()) break;
    }
    report_killed(true);
  }

  void on_event(const epoll_event& event) {
    if (event.data.u64 == socket_key) return on_socket();
    if (event.data.u64 == wake_key) {
      std::uint64_t count;
      [[maybe_unused]] ssize_t n = ::read(wake_.get(), &count, sizeof count);
      return;
    }
    ProcessId id = event.data.u64 >> 2;
    HostProcess* process = find(id);
    auto channel = static_cast<Channel>(event.data.u64 & 3);
    if (process == nullptr || process->on_ready(channel, buffer_, clock_.now())) return;
    base::MutexLock lock(mutex_);
    order(RequestKind::kill, id);
  }

  /// Only this thread erases, so what it finds stays.
  HostProcess* find(ProcessId id) EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    auto found = processes_.find(id);
    return found == processes_.end() ? nullptr : found->second.get();
  }

  void on_socket() EXCLUDES(mutex_) {
    int socket;
    {
      base::MutexLock lock(mutex_);
      flush();
      socket = socket_.get();
    }
    for (;;) {
      std::span<const char> bytes;
      std::vector<UniqueFd> fds;
      Transfer transfer = reader_.receive(socket, bytes, fds);
      if (transfer == Transfer::not_now) return;
      if (transfer == Transfer::closed) return on_spawner_gone();
      Report report;
      CHECK(bytes.size() == sizeof report);
      std::memcpy(&report, bytes.data(), sizeof report);
      on_report(report);
    }
  }

  void on_report(const Report& report) EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    auto process = processes_.extract(report.id);
    lock.unlock();
    if (process) process.mapped()->finish(report, buffer_, clock_.now());
  }

  void on_spawner_gone() EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    spawner_gone_ = true;
    bool closing = closing_;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket_.get(), nullptr);
    socket_.reset();
    outbox_.clear();
    lock.unlock();
    wait_for_exit(std::exchange(spawner_, -1));
    if (!closing) base::log_error("the process spawner has died");
    // The nests have ended what lived in them, unless they were killed too.
    if (!kill_marked(marker_prefix_, ::getpid())) {
      base::log_error("processes of the dead spawner cannot be ended");
    }
    tell_death();
    report_killed(closing);
  }

  void report_killed(bool stopped) EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    auto processes = std::exchange(processes_, {});
    lock.unlock();
    Report report{ReportKind::ended};
    report.signal = SIGKILL;
    report.stopped = stopped;
    for (auto& [id, process] : processes) process->finish(report, buffer_, clock_.now());
  }

  void tell_death() EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (!spawner_gone_ || closing_) return;
    auto callback = std::exchange(on_death_, nullptr);
    lock.unlock();
    if (callback) callback();
  }

  void tell_refused() EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (refused_.empty()) return;
    auto refused = std::exchange(refused_, {});
    lock.unlock();
    for (Refused& one : refused) {
      ProcessEnd end;
      end.start_error = std::move(one.error);
      if (one.callbacks.on_end) one.callbacks.on_end(std::move(end));
    }
  }

  /// While closing: until the processes have had their grace, then until the spawner, which takes
  /// the end of our side of the socket for our death, has killed them.
  int wait_ms() EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (!closing_ || !socket_) return -1;
    auto left = std::chrono::ceil<std::chrono::milliseconds>(close_deadline_ - clock_.steady());
    if (left.count() > 0) return static_cast<int>(left.count());
    if (gives_up_) return 0;
    gives_up_ = true;
    ::shutdown(socket_.get(), SHUT_WR);
    close_deadline_ = clock_.steady() + close_margin;
    return static_cast<int>(std::chrono::milliseconds(close_margin).count());
  }

  bool is_closed() EXCLUDES(mutex_) {
    base::MutexLock lock(mutex_);
    if (!closing_ || !refused_.empty()) return false;
    return processes_.empty() || (gives_up_ && clock_.steady() >= close_deadline_);
  }

  base::Clock& clock_;
  const Isolation isolation_;
  pid_t spawner_;  // the thread's until it is joined
  const std::string marker_prefix_;
  const UniqueFd epoll_;
  const UniqueFd wake_;
  std::atomic<ProcessId> next_id_{1};
  std::vector<char> buffer_;  // the thread's
  PacketReader reader_;       // the thread's
  base::Mutex mutex_;
  UniqueFd socket_ GUARDED_BY(mutex_);
  std::unordered_map<ProcessId, std::unique_ptr<HostProcess>> processes_ GUARDED_BY(mutex_);
  std::deque<Packet> outbox_ GUARDED_BY(mutex_);  // as long as the processes the caller allows
  std::vector<Refused> refused_ GUARDED_BY(mutex_);
  std::function<void()> on_death_ GUARDED_BY(mutex_);
  bool waits_for_room_ GUARDED_BY(mutex_) = false;
  bool spawner_gone_ GUARDED_BY(mutex_) = false;
  bool closing_ GUARDED_BY(mutex_) = false;
  bool gives_up_ GUARDED_BY(mutex_) = false;
  base::SteadyTime close_deadline_ GUARDED_BY(mutex_);
  std::thread thread_;
};

ProcessHost::ProcessHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ProcessHost::~ProcessHost() = default;

base::Result<std::unique_ptr<ProcessHost>> ProcessHost::create(ProcessHostOptions options,
                                                               base::Clock& clock) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return system_error("no socket for the spawner");
  }
  UniqueFd socket(ends[0]);
  UniqueFd spawner_end(ends[1]);
  std::string lock_path = options.data_directory + "/spawner.lock";
  pid_t spawner = TRY(start_spawner(options, lock_path, spawner_end.get()));
  spawner_end.reset();
  auto ready = wait_until_ready(socket.get(), clock, options.lock_wait);
  struct stat lock_status {};
  if (ready && ::stat(lock_path.c_str(), &lock_status) != 0) ready = system_error(lock_path);
  if (!ready) {
    ::kill(spawner, SIGKILL);
    wait_for_exit(spawner);
    return std::move(ready).error();
  }
  auto impl = std::make_unique<Impl>(clock, std::move(socket), spawner,
                                     marker_prefix(lock_status.st_dev, lock_status.st_ino),
                                     std::move(ready).value());
  return std::unique_ptr<ProcessHost>(new ProcessHost(std::move(impl)));
}

const Isolation& ProcessHost::isolation() const {
  return impl_->isolation();
}

ProcessId ProcessHost::start(ProcessSpec spec, ProcessCallbacks callbacks) {
  return impl_->start(std::move(spec), std::move(callbacks));
}

void ProcessHost::stop(ProcessId id) {
  impl_->stop(id);
}

void ProcessHost::on_spawner_death(std::function<void()> callback) {
  impl_->on_spawner_death(std::move(callback));
}

}  // namespace exec
