#include "exec/nest_table.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace exec {

namespace limits = base::limits;

namespace {
constexpr auto never = base::SteadyTime::max();
constexpr int stranger_pause_ms = 5;
}  // namespace

NestTable::NestTable(const base::Clock& clock, NestOptions options)
    : clock_(clock), options_(std::move(options)) {}

NestTable::Nest* NestTable::make() {
  NestProcess made = make_nest(options_);
  makes_spares_ = made.pid > 0;
  if (made.pid < 0) {
    errno = made.error;
    return nullptr;
  }
  Nest nest;
  nest.pid = made.pid;
  nest.socket = std::move(made.socket);
  nest.kill_at = nest.close_at = never;
  return &nests_.emplace(made.pid, std::move(nest)).first->second;
}

NestTable::Nest* NestTable::take(const RequestTexts& texts) {
  auto same = std::find_if(idle_.rbegin(), idle_.rend(), [&](pid_t pid) {
    const Nest& nest = nests_.at(pid);
    return nest.organization == texts.organization && nest.run_directory == texts.run_directory &&
           nest.artifact_directory == texts.artifact_directory;
  });
  if (same != idle_.rend()) {
    Nest& nest = nests_.at(*same);
    idle_.erase(std::next(same).base());
    nest.close_at = never;
    return &nest;
  }
  if (spares_.empty()) return make();
  Nest& nest = nests_.at(spares_.front());
  spares_.pop_front();
  return &nest;
}

void NestTable::close(Nest& nest) {
  nest.socket.reset();
  nest.ready = 0;
  nest.close_at = never;
  nest.kill_at = clock_.steady() + limits::nest_margin;
}

void NestTable::set_idle(Nest& nest) {
  nest.close_at = clock_.steady() + limits::idle_nest_timeout;
  idle_.push_back(nest.pid);
  if (idle_.size() <= limits::idle_nests_max) return;
  close(nests_.at(idle_.front()));
  idle_.pop_front();
}

void NestTable::start(Request request) {
  request.header.user_id = options_.users.id_of(request.texts().organization);
  request.header.warm == WarmStart::none ? start_cold(std::move(request))
                                         : start_warm(std::move(request));
}

void NestTable::start_cold(Request request) {
  RequestTexts texts = request.texts();
  Nest* nest = take(texts);
  if (nest == nullptr) return fail(request.header.id, StartStage::process, errno);
  bool is_new = !nest->used;
  nest->organization = texts.organization;
  nest->run_directory = texts.run_directory;
  put(*nest, std::move(request), is_new);
}

/// Gives an attempt to a nest, with its run's directory if the nest does not have it.
void NestTable::put(Nest& nest, Request request, bool with_run) {
  auto grace = std::chrono::milliseconds(request.header.grace_ms);
  attempts_[request.header.id] = {nest.pid, grace, false, never};
  nest.used = true;
  ++nest.attempts;
  nest.kill_at = nest.close_at = never;
  int error = with_run ? add_run_mount(request, request.texts().run_directory) : 0;
  if (error == 0) error = add_artifact_mount(nest, request);
  if (error == 0) error = limit(nest, request.header);
  if (error == 0) error = pass_on(nest, std::move(request));
  if (error == 0) return;
  nest.setup_error = error;
  close(nest);  // its death is the report
}

/// By the nest's cgroup; then its processes need no limit of their own. Errno, or 0.
int NestTable::limit(const Nest& nest, RequestHeader& header) const {
  if (options_.cgroups == nullptr) return 0;
  CgroupLimits limits{std::exchange(header.memory_bytes_max, 0), header.processes_max,
                      header.cpu_millis_max};
  return options_.cgroups->put(nest.pid, limits);
}

/// Errno, or 0.
int NestTable::pass_on(Nest& nest, Request request) const {
  auto packet = encode_again(std::move(request));
  if (!packet) return ENOMEM;
  Transfer transfer = send_packet(nest.socket.get(), packet->bytes, packet->fds);
  return transfer == Transfer::done ? 0 : EAGAIN;
}

/// Errno, or 0.
int NestTable::add_run_mount(Request& request, const std::string& path) const {
  if (!options_.isolated || path.empty()) return 0;
  if (!options_.view->is_run_directory(path)) return EINVAL;
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!directory || ::fstat(directory.get(), &status) != 0) return errno;
  const uid_t user = request.header.user_id;
  if (options_.users.has_range() && status.st_uid != user &&
      ::fchownat(directory.get(), "", user, user, AT_EMPTY_PATH) != 0) {
    return errno;
  }
  UniqueFd mount = detached_mount(directory.get(), MountMode::change);
  if (!mount) return errno;
  request.fds.push_back(std::move(mount));
  request.header.has_run_mount = 1;
  return 0;
}

/// That of its artifact, for a nest that does not have it yet. Errno, or 0.
int NestTable::add_artifact_mount(Nest& nest, Request& request) const {
  std::string path = request.texts().artifact_directory;
  if (!options_.isolated || nest.artifact_directory == path) return 0;
  if (!options_.view->is_artifact_directory(path)) return EINVAL;
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return errno;
  UniqueFd mount = detached_mount(directory.get(), MountMode::read);
  if (!mount) return errno;
  request.fds.push_back(std::move(mount));
  request.header.has_artifact_mount = 1;
  nest.artifact_directory = std::move(path);
  return 0;
}

void NestTable::stop(ProcessId id) {
  auto found = attempts_.find(id);
  if (found == attempts_.end()) return drop_waiting(id);
  found->second.stopped = true;
  order(id, RequestKind::stop, found->second.grace);
}

void NestTable::kill(ProcessId id) {
  if (attempts_.contains(id)) order(id, RequestKind::kill, {});
}

void NestTable::order(ProcessId id, RequestKind kind, base::Duration patience) {
  Attempt& attempt = attempts_.at(id);
  attempt.kill_at = std::min(attempt.kill_at, clock_.steady() + patience + limits::nest_margin);
  const Nest& nest = nests_.at(attempt.nest);
  // A nest that does not even take an order is killed when its time has come.
  if (nest.socket) send_packet(nest.socket.get(), encode_order(kind, id).bytes, {});
}

void NestTable::add_waits(std::vector<pollfd>& waits) const {
  for (const auto& [pid, nest] : nests_)
    if (nest.socket) waits.push_back({nest.socket.get(), POLLIN, 0});
}

void NestTable::on_ready(const pollfd& wait) {
  for (auto& [pid, nest] : nests_)
    if (nest.socket.get() == wait.fd) return receive(nest);
}

void NestTable::receive(Nest& nest) {
  while (nest.socket) {
    std::span<const char> bytes;
    std::vector<UniqueFd> fds;
    Transfer transfer = reader_.receive(nest.socket.get(), bytes, fds);
    if (transfer == Transfer::not_now) return;
    Report report;
    if (transfer == Transfer::closed || bytes.size() < sizeof report) return nest.socket.reset();
    std::memcpy(&report, bytes.data(), sizeof report);
    take_report(nest, report);
  }
}

void NestTable::take_report(Nest& nest, const Report& report) {
  if (report.kind == ReportKind::idle) return set_idle(nest);
  if (!nest.warm_key.empty() && report.id == 0) return on_warm_report(nest, report);
  if (report.id == 0) {  // it could not be set up
    nest.setup_error = report.error;
    return close(nest);
  }
  reports_.push_back(report);
  attempts_.erase(report.id);
  --nest.attempts;
  nest.last_used = clock_.steady();
  // Nothing of the attempt lives any more. The nest says so if it is as good as new.
  auto patience = nest.warm_key.empty() ? base::Duration(limits::idle_nest_timeout)
                                        : base::Duration(limits::warm_idle_timeout);
  if (nest.attempts == 0) nest.close_at = nest.last_used + patience;
}

void NestTable::fail(ProcessId id, StartStage stage, int error) {
  reports_.push_back(Report{ReportKind::not_started, stage, id, error});
}

void NestTable::reap() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) return;
    if (!nests_.contains(info.si_pid)) continue;
    on_death(nests_.at(info.si_pid));
    std::erase(spares_, info.si_pid);
    std::erase(idle_, info.si_pid);
    Nest dead = std::move(nests_.extract(info.si_pid).mapped());
    if (options_.cgroups != nullptr) options_.cgroups->remove(dead.pid);
    if (!dead.warm_key.empty()) on_warm_death(dead);
  }
}

/// With its init a namespace is gone. Without namespaces, what the nest had adopted comes to the
/// spawner.
void NestTable::on_death(Nest& nest) {
  receive(nest);
  if (!nest.used && nest.setup_error != 0) {
    makes_spares_ = false;
    base::log_error("a place for attempts cannot be made",
                    {{"error", std::strerror(nest.setup_error)}});
  }
  if (nest.attempts > 0 && !options_.isolated) kill_strangers();
  for (auto each = attempts_.begin(); nest.attempts > 0 && each != attempts_.end();) {
    auto [id, attempt] = *each;
    if (attempt.nest != nest.pid) {
      ++each;
      continue;
    }
    each = attempts_.erase(each);
    --nest.attempts;
    if (nest.setup_error != 0) {
      fail(id, StartStage::isolation, nest.setup_error);
      continue;
    }
    Report report{ReportKind::ended, StartStage::none, id};
    report.signal = SIGKILL;
    report.stopped = attempt.stopped;
    reports_.push_back(report);
  }
}

void NestTable::kill_strangers() {
  for (;;) {
    std::vector<pid_t> strangers;
    for (pid_t child : own_children_.list())
      if (!nests_.contains(child)) append_tree(child, strangers);
    if (strangers.empty()) return;
    signal_groups(strangers, SIGKILL);
    for (pid_t stranger : strangers) ::waitpid(stranger, nullptr, WNOHANG);
    ::poll(nullptr, 0, stranger_pause_ms);
  }
}

void NestTable::on_time() {
  auto now = clock_.steady();
  for (auto& [id, attempt] : attempts_) {
    if (attempt.kill_at > now) continue;
    ::kill(attempt.nest, SIGKILL);
    attempt.kill_at = now + limits::nest_margin;
  }
  end_idle_interpreters();
  for (auto& [pid, nest] : nests_) {
    if (nest.close_at <= now) {
      std::erase(idle_, pid);
      close(nest);
    }
    if (nest.kill_at > now) continue;
    ::kill(pid, SIGKILL);
    nest.kill_at = now + limits::nest_margin;
  }
  if (makes_spares_ && spares_.size() < limits::spare_nests) {
    if (Nest* nest = make()) spares_.push_back(nest->pid);
  }
}

int NestTable::wait_ms() const {
  if (makes_spares_ && spares_.size() < limits::spare_nests) return 0;
  auto first = never;
  for (const auto& [pid, nest] : nests_) first = std::min({first, nest.kill_at, nest.close_at});
  for (const auto& [id, attempt] : attempts_) first = std::min(first, attempt.kill_at);
  if (first == never) return -1;
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(first - clock_.steady());
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 3'600'000));
}

}  // namespace exec
