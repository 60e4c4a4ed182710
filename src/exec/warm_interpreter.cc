#include "exec/warm_interpreter.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/limits.h"

namespace exec {

namespace {

constexpr int looks_max = 1000;  // at what a worker's attempt has left behind
constexpr int look_pause_ms = 1;

int number_after(std::string_view message, std::string_view word) {
  int number = 0;
  std::from_chars(message.data() + word.size(), message.data() + message.size(), number);
  return number;
}

/// Directory and variables, as the interpreter reads them.
std::string attempt_message(const RequestTexts& texts, const std::string& marker) {
  std::string message = texts.directory;
  if (!marker.empty()) message.append(1, '\0').append(marker);
  for (const char* variable : texts.variables) message.append(1, '\0').append(variable);
  return message;
}

}  // namespace

WarmInterpreter::WarmInterpreter(AttemptTable& table, const FileView* view, Request request)
    : table_(table), view_(view), worker_(request.header.warm == WarmStart::worker) {
  int ends[2];
  bool paired = ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
  if (paired) {
    control_.reset(ends[0]);
    request.fds.emplace_back(ends[1]);
    request.header.has_result = 1;
    request.header.id = own_id;
    pid_ = table_.start(request);
  } else {
    gone_ = true;
    tell(ReportKind::warm_refused, static_cast<int>(Refusal::ends));
  }
}

void WarmInterpreter::tell(ReportKind kind, int error) {
  table_.reports().push_back(Report{kind, StartStage::none, 0, error});
}

void WarmInterpreter::add_waits(std::vector<pollfd>& waits) const {
  if (control_) waits.push_back({control_.get(), POLLIN, 0});
  for (const Spare& spare : coming_) waits.push_back({spare.socket.get(), POLLIN, 0});
}

void WarmInterpreter::on_ready(const pollfd& wait) {
  if (wait.fd == control_.get()) return on_control();
  auto spare = std::find_if(coming_.begin(), coming_.end(),
                            [&](const Spare& each) { return each.socket.get() == wait.fd; });
  if (spare == coming_.end()) return;
  Step step = on_spare(*spare);
  if (step == Step::wait) return;
  if (step == Step::done) {
    spares_.push_back(std::move(*spare));
    tell(ReportKind::warm_ready);
  }
  coming_.erase(spare);
}

void WarmInterpreter::on_control() {
  PacketReader reader;
  for (;;) {
    std::span<const char> bytes;
    std::vector<UniqueFd> fds;
    Transfer transfer = reader.receive(control_.get(), bytes, fds);
    if (transfer == Transfer::not_now) return;
    if (transfer == Transfer::closed) return control_.reset();  // its end is reported by the table
    on_message({bytes.data(), bytes.size()}, std::move(fds));
  }
}

/// The code in the interpreter can say what it likes, so only what is due is heard.
bool WarmInterpreter::accepts(std::string_view message) const {
  if (message == "loaded" || message.starts_with("refused ")) return !loaded_ && !refused_;
  if (message == "spare") return ordered_ > 0;
  if (message == "ready") return worker_ && loaded_ && active_ == 0 && !offered_;
  return message.starts_with("done ") && active_ != 0;
}

void WarmInterpreter::on_message(std::string_view message, std::vector<UniqueFd> fds) {
  if (!accepts(message)) return;
  if (message == "loaded") {
    loaded_ = true;
    for (std::size_t i = 0; !worker_ && i < base::limits::warm_children_ahead; ++i) order_child();
  } else if (message.starts_with("refused ")) {
    refused_ = true;
    tell(ReportKind::warm_refused, number_after(message, "refused "));
  } else if (message == "spare" && fds.size() == 1) {
    --ordered_;
    coming_.push_back({std::move(fds[0])});
  } else if (message == "ready") {
    offered_ = true;
    tell(ReportKind::warm_ready);
  } else if (message.starts_with("done ")) {
    on_done(number_after(message, "done "));
  }
}

void WarmInterpreter::order_child() {
  ++ordered_;
  send_packet(control_.get(), std::string_view("fork"), {});
}

/// Takes the process id that it says, if it is a child of this process.
WarmInterpreter::Step WarmInterpreter::on_spare(Spare& spare) {
  PacketReader reader;
  std::span<const char> bytes;
  std::vector<UniqueFd> fds;
  if (reader.receive(spare.socket.get(), bytes, fds) != Transfer::done) return Step::wrong;
  if (spare.pid > 0) return Step::done;
  pid_t pid = number_after({bytes.data(), bytes.size()}, "");
  auto stat = read_stat(pid);
  if (!stat || stat->parent != ::getpid() || !table_.take_child(own_id, pid)) return Step::wrong;
  spare.pid = pid;
  send_packet(spare.socket.get(), std::string_view("go"), {});
  return Step::wait;
}

ViewFailure WarmInterpreter::enter_run(Request& request) {
  std::string path = request.texts().run_directory;
  if (view_ == nullptr || path.empty()) return {};
  UniqueFd mount;
  if (std::exchange(request.header.has_run_mount, 0) != 0) {
    mount = std::move(request.fds.back());
    request.fds.pop_back();
  }
  Run& run = runs_[path];
  if (!run.placed) {
    if (ViewFailure failure = view_->place(mount.get(), path); failure.step != nullptr)
      return failure;
    run.placed = true;
  }
  ++run.attempts;
  run_of_[request.header.id] = path;
  // The directories of other runs stay only as long as these have attempts here.
  std::erase_if(runs_, [&](const auto& each) {
    bool over = each.second.attempts == 0;
    if (over) view_->remove_run(each.first);
    return over;
  });
  return {};
}

void WarmInterpreter::on_attempt_end(ProcessId id) {
  auto found = run_of_.find(id);
  if (found == run_of_.end()) return;
  auto run = runs_.find(found->second);
  if (run != runs_.end()) --run->second.attempts;
  run_of_.erase(found);
}

void WarmInterpreter::give(Request request) {
  const ProcessId id = request.header.id;
  auto fail = [&](StartStage stage, int error) {
    table_.reports().push_back(Report{ReportKind::not_started, stage, id, error});
  };
  if (ViewFailure failure = enter_run(request); failure.step != nullptr)
    return fail(StartStage::isolation, failure.error);
  auto grace = std::chrono::milliseconds(request.header.grace_ms);
  std::string message = attempt_message(request.texts(), table_.marker_of(id));
  if (worker_) {
    if (active_ != 0) return fail(StartStage::process, EAGAIN);
    active_ = id;
    offered_ = false;
    table_.set_grace(own_id, grace);
    // If it is gone its end is this attempt's.
    send_packet(control_.get(), message, request.fds);
    return;
  }
  while (!spares_.empty() && !table_.has_child(spares_.front().pid)) spares_.pop_front();
  if (spares_.empty()) return fail(StartStage::process, EAGAIN);
  Spare spare = std::move(spares_.front());
  spares_.pop_front();
  table_.assign(id, spare.pid, grace);
  send_packet(spare.socket.get(), message, request.fds);
  if (control_) order_child();
}

void WarmInterpreter::on_done(int code) {
  Report report{ReportKind::ended, StartStage::none, active_};
  report.exit_code = code;
  bool left = false;
  end_children_of_worker(left);
  report.left_children = left;
  active_ = 0;
  table_.reports().push_back(report);
}

/// They end at once: the next attempt must not find them.
void WarmInterpreter::end_children_of_worker(bool& left) {
  for (int look = 0; look < looks_max; ++look) {
    std::vector<pid_t> tree;
    append_tree(pid_, tree);
    std::erase_if(tree, [&](pid_t pid) {
      auto stat = read_stat(pid);
      return pid == pid_ || !stat || stat->state == 'Z' || stat->state == 'X';
    });
    if (tree.empty()) return;
    left = true;
    for (pid_t pid : tree) ::kill(pid, SIGKILL);
    ::poll(nullptr, 0, look_pause_ms);
  }
}

void WarmInterpreter::on_end(const Report& report) {
  if (control_) on_control();  // what it said last
  gone_ = true;
  control_.reset();
  spares_.clear();  // they end with their sockets
  coming_.clear();
  if (!loaded_ && !refused_) tell(ReportKind::warm_refused, static_cast<int>(Refusal::ends));
  tell(ReportKind::warm_gone);
  if (active_ == 0) return;
  Report end = report;
  end.kind = ReportKind::ended;
  end.id = std::exchange(active_, 0);
  table_.reports().push_back(end);
}

}  // namespace exec
