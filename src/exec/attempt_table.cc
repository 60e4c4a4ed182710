#include "exec/attempt_table.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

namespace exec {

namespace {
constexpr auto kill_again = std::chrono::milliseconds(20);
constexpr int kill_all_pause_ms = 5;
constexpr int looks_max = 100;  // at a process that is to stop
constexpr int look_pause_ms = 1;

bool has_stopped(pid_t pid) {
  auto stat = read_stat(pid);
  return !stat || stat->state == 'T' || stat->state == 't' || stat->state == 'Z' ||
         stat->state == 'X';
}

/// SIGTERM. A stopped process acts on nothing but SIGKILL, hence SIGCONT.
void ask_groups(const std::vector<pid_t>& pids) {
  signal_groups(pids, SIGTERM);
  signal_groups(pids, SIGCONT);
}

void ask_each(const std::vector<pid_t>& pids) {
  for (pid_t pid : pids) {
    ::kill(pid, SIGTERM);
    ::kill(pid, SIGCONT);
  }
}
}  // namespace

AttemptTable::AttemptTable(const base::Clock& clock, Options options)
    : clock_(clock), options_(std::move(options)), launcher_(options_.privileges) {}

pid_t AttemptTable::start(const Request& request) {
  ProcessId id = request.header.id;
  auto outcome = launcher_.launch(request, marker_of(id));
  if (outcome.pid < 0) {
    reports_.push_back(Report{ReportKind::not_started, outcome.stage, id, outcome.error});
    return -1;
  }
  add(id, outcome.pid, std::chrono::milliseconds(request.header.grace_ms));
  return outcome.pid;
}

void AttemptTable::add(ProcessId id, pid_t main, base::Duration grace) {
  Attempt attempt;
  attempt.main = main;
  attempt.grace = grace;
  attempt.report = Report{ReportKind::ended, StartStage::none, id};
  children_[main] = {id};
  sessions_[main] = id;
  attempts_.emplace(id, std::move(attempt));
}

std::string AttemptTable::marker_of(ProcessId id) const {
  if (options_.marker_prefix.empty()) return {};
  return fmt::format("{}{}{}", marker_name, options_.marker_prefix, id);
}

bool AttemptTable::take_child(ProcessId id, pid_t pid) {
  auto owned = children_.find(pid);
  if (owned != children_.end()) return owned->second == Owners{id} && pid != attempts_.at(id).main;
  auto found = attempts_.find(id);
  if (found == attempts_.end()) return false;
  ++found->second.children;
  children_[pid] = {id};
  return true;
}

void AttemptTable::assign(ProcessId id, pid_t pid, base::Duration grace) {
  auto owned = children_.find(pid);
  if (owned != children_.end())
    for (ProcessId owner : owned->second) --attempts_.at(owner).children;
  add(id, pid, grace);
}

void AttemptTable::set_grace(ProcessId id, base::Duration grace) {
  auto found = attempts_.find(id);
  if (found != attempts_.end()) found->second.grace = grace;
}

void AttemptTable::stop(ProcessId id) {
  auto found = attempts_.find(id);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  if (attempt.main_alive) attempt.report.stopped = 1;
  if (attempt.phase == Phase::running) ask(id, attempt);
}

void AttemptTable::kill(ProcessId id) {
  auto found = attempts_.find(id);
  if (found != attempts_.end()) kill_now(id, found->second);
}

void AttemptTable::reap() {
  bool children_left = reap_dead();
  if (children_left && !adopt_orphans()) return;  // another death is under way
  Owners bereaved = std::exchange(bereaved_, {});
  for (ProcessId id : bereaved) settle(id);
}

/// False: no child is left, so there is no orphan either.
bool AttemptTable::reap_dead() {
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0) return false;
    if (info.si_pid == 0) return true;
    auto child = children_.find(info.si_pid);
    if (child == children_.end()) continue;
    for (ProcessId id : child->second) note_exit(id, info.si_pid, info.si_code, info.si_status);
    bereaved_.insert(bereaved_.end(), child->second.begin(), child->second.end());
    children_.erase(child);
  }
}

void AttemptTable::note_exit(ProcessId id, pid_t pid, int code, int status) {
  Attempt& attempt = attempts_.at(id);
  --attempt.children;
  if (!attempt.main_alive || pid != attempt.main) return;
  attempt.main_alive = false;
  (code == CLD_EXITED ? attempt.report.exit_code : attempt.report.signal) = status;
}

/// False: an orphan died before it could be looked at. What it started is or becomes a child of the
/// spawner and is not in the list yet, so nothing can be said to have ended; its SIGCHLD follows.
bool AttemptTable::adopt_orphans() {
  bool complete = true;
  for (pid_t pid : own_children_.list()) {
    if (children_.contains(pid)) continue;
    ::kill(pid, SIGSTOP);  // else what forks and exits without end would never be seen alive
    auto stat = read_stat(pid);
    if (stat && stat->state != 'Z' && stat->state != 'X') {
      adopt(pid, *stat);
    } else {
      complete = false;
    }
    ::kill(pid, SIGCONT);
  }
  return complete;
}

void AttemptTable::adopt(pid_t pid, const ProcessStat& stat) {
  Owners owners = bereaved_;
  std::vector<pid_t> tree;
  append_tree(pid, tree);
  if (ProcessId owner = owner_of(pid, stat); owner != 0) {
    owners = {owner};
    Attempt& attempt = attempts_.at(owner);
    if (attempt.phase == Phase::killing) signal_groups(tree, SIGKILL);
    if (attempt.phase == Phase::asked) {
      std::erase_if(tree, [&](pid_t one) { return attempt.asked.contains(one); });
      ask_each(tree);
    }
  } else {
    // It hides whose it is. It dies at once, and whoever it may belong to waits for that.
    signal_groups(tree, SIGKILL);
  }
  std::sort(owners.begin(), owners.end());
  owners.erase(std::unique(owners.begin(), owners.end()), owners.end());
  for (ProcessId id : owners) ++attempts_.at(id).children;
  children_[pid] = std::move(owners);
}

ProcessId AttemptTable::owner_of(pid_t pid, const ProcessStat& stat) const {
  if (attempts_.size() == 1) return attempts_.begin()->first;
  auto session = sessions_.find(stat.session);
  if (session != sessions_.end()) return session->second;
  if (options_.marker_prefix.empty()) return 0;
  // In the middle of execve a process shows no environment. The SIGSTOP it was sent takes hold only
  // after that, so what a stopped process shows is the truth.
  for (int look = 0; look < looks_max; ++look) {
    bool settled = has_stopped(pid);
    if (auto marked = marked_attempt(pid, options_.marker_prefix)) {
      // What an interpreter has forked shows the interpreter's.
      return attempts_.contains(*marked) && *marked != interpreter_id ? *marked : 0;
    }
    if (settled) break;
    ::poll(nullptr, 0, look_pause_ms);
  }
  return 0;
}

void AttemptTable::settle(ProcessId id) {
  auto found = attempts_.find(id);
  if (found == attempts_.end()) return;
  Attempt& attempt = found->second;
  if (attempt.main_alive) return;
  if (attempt.children == 0) {
    reports_.push_back(attempt.report);
    auto session = sessions_.find(attempt.main);
    if (session != sessions_.end() && session->second == id) sessions_.erase(session);
    attempts_.erase(found);
  } else if (attempt.phase == Phase::running) {
    attempt.report.left_children = 1;
    ask(id, attempt);
  }
}

void AttemptTable::ask(ProcessId id, Attempt& attempt) {
  attempt.phase = Phase::asked;
  attempt.due = clock_.steady() + attempt.grace;
  auto pids = processes_of(id, attempt);
  attempt.asked.insert(pids.begin(), pids.end());
  ask_groups(pids);
}

void AttemptTable::kill_now(ProcessId id, Attempt& attempt) {
  attempt.phase = Phase::killing;
  attempt.due = clock_.steady() + kill_again;
  if (options_.is_init && attempts_.size() == 1) {
    ::kill(-1, SIGKILL);  // nothing slips away from this, however fast it forks
  } else {
    signal_groups(processes_of(id, attempt), SIGKILL);
  }
}

std::vector<pid_t> AttemptTable::processes_of(ProcessId id, const Attempt& attempt) const {
  std::vector<pid_t> pids;
  if (attempt.children == 1 && attempt.main_alive) {
    append_tree(attempt.main, pids);
    return pids;
  }
  for (const auto& [pid, owners] : children_) {
    if (std::find(owners.begin(), owners.end(), id) != owners.end()) append_tree(pid, pids);
  }
  return pids;
}

void AttemptTable::on_time() {
  auto now = clock_.steady();
  for (auto& [id, attempt] : attempts_) {
    if (attempt.phase != Phase::running && attempt.due <= now) kill_now(id, attempt);
  }
}

int AttemptTable::wait_ms() const {
  auto first = base::SteadyTime::max();
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.phase != Phase::running) first = std::min(first, attempt.due);
  }
  if (first == base::SteadyTime::max()) return -1;
  auto wait = std::chrono::ceil<std::chrono::milliseconds>(first - clock_.steady());
  return static_cast<int>(std::clamp<std::int64_t>(wait.count(), 0, 3'600'000));
}

void kill_all_descendants() {
  OwnChildren own_children;
  for (;;) {
    std::vector<pid_t> all;
    auto children = own_children.list();
    for (pid_t child : children) ::kill(child, SIGSTOP);  // forks no more while we look below it
    for (pid_t child : children) append_tree(child, all);
    signal_groups(all, SIGKILL);
    siginfo_t info{};
    do {
      info.si_pid = 0;
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != 0) return;  // ECHILD
    } while (info.si_pid != 0);
    ::poll(nullptr, 0, kill_all_pause_ms);
  }
}

}  // namespace exec
