#include "exec/attempt_loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "exec/isolation_probe.h"

namespace exec {

namespace {

constexpr const char* ipc_lists[] = {"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"};

std::size_t entries_of(const char* directory) {
  DIR* opened = ::opendir(directory);
  if (opened == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(opened) != nullptr) ++count;
  ::closedir(opened);
  return count;
}

std::size_t private_entries() {
  return entries_of("/tmp") + entries_of("/dev/shm");
}

/// Shared memory, message queues and semaphores of the IPC namespace, which outlive processes.
bool has_ipc() {
  for (const char* list : ipc_lists) {
    UniqueFd file(::open(list, O_RDONLY | O_CLOEXEC));
    char text[4096];
    ssize_t n = file ? ::read(file.get(), text, sizeof text) : 0;
    if (n > 0 && std::count(text, text + n, '\n') > 1) return true;  // more than the heading
  }
  return false;
}

}  // namespace

AttemptLoop::AttemptLoop(int socket, const FileView* view, AttemptTable::Options options)
    : socket_(socket),
      view_(view),
      privileges_(options.privileges),
      table_(clock_, std::move(options)),
      private_entries_(view == nullptr ? 0 : private_entries()) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  signals_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
}

void AttemptLoop::run() {
  bool connected = true;
  std::vector<pollfd> waits;
  while (connected) {
    waits = {{socket_, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    if (!table_.reports().empty()) waits[0].events |= POLLOUT;
    if (warm_) warm_->add_waits(waits);
    ::poll(waits.data(), waits.size(), table_.wait_ms());
    for (std::size_t i = 2; i < waits.size(); ++i)
      if (waits[i].revents != 0) warm_->on_ready(waits[i]);
    if (waits[1].revents != 0) on_child_death();
    if ((waits[0].revents & ~POLLOUT) != 0) connected = on_request();
    table_.on_time();
    connected = connected && send_reports() && !is_over();
  }
}

/// After an attempt: whether this nest is of no more use.
bool AttemptLoop::is_over() {
  if (!table_.is_empty() || !table_.reports().empty()) return false;
  if (warm_) return warm_->is_gone();
  if (!used_) return false;
  if (!is_clean()) return true;
  used_ = false;
  Report idle{ReportKind::idle};
  send_packet(socket_, {reinterpret_cast<const char*>(&idle), sizeof idle}, {});
  return false;
}

/// Nothing is left that a later attempt could find.
bool AttemptLoop::is_clean() const {
  return view_ == nullptr || (private_entries() == private_entries_ && !has_ipc());
}

void AttemptLoop::on_child_death() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) > 0) continue;
  table_.reap();
}

bool AttemptLoop::on_request() {
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
    table_.reports().push_back(report);
  }
  return true;
}

void AttemptLoop::handle(Request request) {
  switch (request.header.kind) {
    case RequestKind::start:
      return start(request);
    case RequestKind::stop:
    case RequestKind::kill:
      return end(request.header.kind, request.header.id);
    case RequestKind::probe:
      return probe(request);
    case RequestKind::start_warm:
      return start_interpreter(std::move(request));
  }
}

void AttemptLoop::end(RequestKind kind, ProcessId id) {
  if (warm_ && warm_->runs_itself(id)) id = WarmInterpreter::own_id;
  kind == RequestKind::stop ? table_.stop(id) : table_.kill(id);
}

/// Puts the mounts that come with a request, the last descriptors, in their places.
ViewFailure AttemptLoop::place_mounts(Request& request) const {
  RequestTexts texts = request.texts();
  auto place = [&](std::uint32_t& has_mount, const char* path) -> ViewFailure {
    if (std::exchange(has_mount, 0) == 0) return {};
    UniqueFd mount = std::move(request.fds.back());
    request.fds.pop_back();
    return view_->place(mount.get(), path);
  };
  ViewFailure failure = place(request.header.has_artifact_mount, texts.artifact_directory);
  if (failure.step != nullptr) return failure;
  return place(request.header.has_run_mount, texts.run_directory);
}

void AttemptLoop::start(Request& request) {
  if (warm_) return warm_->give(std::move(request));
  if (ViewFailure failure = place_mounts(request); failure.step != nullptr) {
    table_.reports().push_back(
        Report{ReportKind::not_started, StartStage::isolation, request.header.id, failure.error});
    return;
  }
  table_.start(request);
}

void AttemptLoop::start_interpreter(Request request) {
  if (ViewFailure failure = place_mounts(request); failure.step != nullptr) {
    table_.reports().push_back(
        Report{ReportKind::not_started, StartStage::isolation, 0, failure.error});
    return;
  }
  warm_.emplace(table_, view_, std::move(request));
}

void AttemptLoop::probe(const Request& request) {
  Report report{ReportKind::ended, StartStage::none, request.header.id};
  report.exit_code = run_isolation_probe(*view_, privileges_, request.header);
  table_.reports().push_back(report);
}

bool AttemptLoop::send_reports() {
  auto& reports = table_.reports();
  while (!reports.empty()) {
    if (reports.front().id == WarmInterpreter::own_id) {
      warm_->on_end(reports.front());
      reports.pop_front();
      continue;
    }
    const char* bytes = reinterpret_cast<const char*>(&reports.front());
    Transfer transfer = send_packet(socket_, {bytes, sizeof(Report)}, {});
    if (transfer != Transfer::done) return transfer == Transfer::not_now;
    used_ = true;
    if (warm_) warm_->on_attempt_end(reports.front().id);
    reports.pop_front();
  }
  return true;
}

}  // namespace exec
