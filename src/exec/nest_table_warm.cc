// Of NestTable: warm interpreters, and the attempts that wait for one.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ids.h"
#include "base/limits.h"
#include "exec/nest_table.h"

namespace exec {

namespace limits = base::limits;

namespace {

constexpr std::size_t page_bytes = 4096;

/// Variables that each attempt has its own values for; the others are the interpreter's too.
bool is_of_attempt(std::string_view variable) {
  return variable.starts_with("DAGY_") || variable.starts_with("TRACEPARENT=") ||
         variable.starts_with("HOME=");
}

/// Attempts with the same key can share an interpreter: one organization, one program, one code,
/// one environment, the same limits.
std::string key_of(const Request& request) {
  const RequestHeader& header = request.header;
  RequestTexts texts = request.texts();
  std::string key = fmt::format(
      "{} {} {} {} {} {}", static_cast<int>(header.warm), header.memory_bytes_max,
      header.cpu_millis_max, header.cpu_seconds_max, header.file_bytes_max, header.processes_max);
  auto add = [&key](std::string_view text) { key.append(1, '\0').append(text); };
  add(texts.organization);
  for (const char* argument : texts.arguments) add(argument);
  for (const char* variable : texts.variables)
    if (!is_of_attempt(variable)) add(variable);
  add(texts.code);
  return base::sha256_hex(key);
}

UniqueFd file_with(std::string_view text) {
  UniqueFd file(::memfd_create("dagy-code", MFD_CLOEXEC));
  while (file && !text.empty()) {
    ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n <= 0) return UniqueFd();
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (file) ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

/// What starts the interpreter for attempts like this one.
std::optional<Request> interpreter_request(const Request& attempt) {
  RequestTexts texts = attempt.texts();
  Request request;
  request.header = attempt.header;
  RequestHeader& header = request.header;
  header.kind = RequestKind::start_warm;
  header.has_stdin = 1;
  header.has_result = header.has_run_mount = header.has_artifact_mount = 0;
  header.variable_count = 0;
  std::string& payload = request.payload;
  auto add = [&payload](std::string_view text) { payload.append(text).append(1, '\0'); };
  add("/");
  add(texts.organization);
  add("");
  add(texts.artifact_directory);
  add("");
  texts.arguments.back() = header.warm == WarmStart::fork ? "fork" : "worker";
  for (const char* argument : texts.arguments) add(argument);
  for (const char* variable : texts.variables) {
    if (is_of_attempt(variable)) continue;
    add(variable);
    ++header.variable_count;
  }
  header.payload_bytes = payload.size();
  request.fds.push_back(file_with(texts.code));
  for (int i = 0; i < 2; ++i) request.fds.emplace_back(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  bool complete = std::all_of(request.fds.begin(), request.fds.end(),
                              [](const UniqueFd& fd) { return bool(fd); });
  if (!complete) return std::nullopt;
  return request;
}

}  // namespace

void NestTable::start_warm(Request request) {
  std::string key = key_of(request);
  auto known = warm_.find(key);
  if (known != warm_.end() && known->second.refused_until > clock_.steady())
    return start_fresh(std::move(request), known->second.refusal);
  if (known == warm_.end() && warm_.size() >= limits::warm_keys_max) forget_keys();
  warm_[key].waiting.push_back(std::move(request));
  serve(key);
}

/// Gives what waits to interpreters that are ready; sees to it that there is one, or does without.
void NestTable::serve(const std::string& key) {
  auto& waiting = warm_.at(key).waiting;
  std::size_t coming = 0;
  std::size_t living = 0;
  for (auto& [pid, nest] : nests_) {
    if (nest.warm_key != key || !nest.socket || nest.gone) continue;
    while (nest.ready > 0 && !waiting.empty()) {
      Request request = std::move(waiting.front());
      waiting.pop_front();
      --nest.ready;
      // It keeps the directory of the last run that it was given.
      std::string run_directory = request.texts().run_directory;
      bool is_new = std::exchange(nest.run_directory, run_directory) != run_directory;
      put(nest, std::move(request), is_new);
    }
    ++living;
    coming += nest.importing;
  }
  if (waiting.empty()) return;
  // One interpreter forks for all; a worker is busy as long as its attempt.
  bool is_worker = waiting.front().header.warm == WarmStart::worker;
  bool wants_more = is_worker ? coming < waiting.size() : living == 0;
  if (!wants_more || make_warm(key, waiting.front()) || living > 0) return;
  for (Request& request : std::exchange(waiting, {}))
    start_fresh(std::move(request), Refusal::none);
}

bool NestTable::make_warm(const std::string& key, const Request& first) {
  if (!make_room()) return false;
  auto request = interpreter_request(first);
  if (!request) return false;
  Nest* nest = take(RequestTexts{"", "", "", ""});
  if (nest == nullptr) return false;
  nest->used = true;
  nest->warm_key = key;
  nest->importing = true;
  nest->last_used = clock_.steady();
  nest->close_at = nest->last_used + limits::warm_import_timeout;
  if (add_artifact_mount(*nest, *request) == 0 && pass_on(*nest, std::move(*request)) == 0)
    return true;
  close(*nest);
  return false;
}

/// Ends the interpreter that has been idle longest while there are too many, or too large ones.
bool NestTable::make_room() {
  for (;;) {
    Nest* oldest = nullptr;
    std::size_t count = 0;
    for (auto& [pid, nest] : nests_) {
      if (nest.warm_key.empty() || !nest.socket) continue;
      ++count;
      bool is_idle = nest.attempts == 0 && !nest.importing;
      if (is_idle && (oldest == nullptr || nest.last_used < oldest->last_used)) oldest = &nest;
    }
    if (count < limits::warm_interpreters_max && warm_bytes() < limits::warm_bytes_max) return true;
    if (oldest == nullptr) return false;
    close(*oldest);
  }
}

/// Memory that interpreters and what they have forked have for themselves.
std::size_t NestTable::warm_bytes() const {
  std::size_t pages = 0;
  for (const auto& [pid, nest] : nests_) {
    if (nest.warm_key.empty() || !nest.socket) continue;
    std::vector<pid_t> tree;
    append_tree(pid, tree);
    for (pid_t each : tree) {
      std::size_t size = 0, resident = 0, shared = 0;
      std::ifstream(fmt::format("/proc/{}/statm", each)) >> size >> resident >> shared;
      pages += resident - std::min(resident, shared);
    }
  }
  return pages * page_bytes;
}

void NestTable::on_warm_report(Nest& nest, const Report& report) {
  const std::string key = nest.warm_key;
  nest.importing = false;
  if (report.kind == ReportKind::warm_ready) {
    ++nest.ready;
    if (nest.attempts == 0) nest.close_at = clock_.steady() + limits::warm_idle_timeout;
    return serve(key);
  }
  nest.gone = true;
  nest.ready = 0;
  if (nest.attempts == 0) close(nest);
  if (report.kind == ReportKind::warm_refused) {
    refuse(key, static_cast<Refusal>(report.error));
  } else if (report.kind != ReportKind::warm_gone) {  // the nest could not be set up
    nest.setup_error = report.error;
    refuse(key, Refusal::ends);
  }
}

void NestTable::refuse(const std::string& key, Refusal refusal) {
  WarmKey& warm = warm_[key];
  warm.refusal = refusal;
  warm.refused_until = clock_.steady() + limits::warm_refusal_ttl;
  for (Request& request : std::exchange(warm.waiting, {})) start_fresh(std::move(request), refusal);
}

/// In an interpreter of its own, after a line in its log that says why.
void NestTable::start_fresh(Request request, Refusal refusal) {
  std::string_view reason = refusal_text(refusal);
  if (!reason.empty()) {
    std::string line = fmt::format("dagy: this code runs in a fresh interpreter: {}\n", reason);
    const UniqueFd& errors = request.fds[request.header.has_stdin != 0 ? 2 : 1];
    // The pipe is empty, so this does not block.
    [[maybe_unused]] ssize_t n = ::write(errors.get(), line.data(), line.size());
  }
  start_cold(std::move(request));
}

/// An attempt that waits for an interpreter and is stopped has ended.
void NestTable::drop_waiting(ProcessId id) {
  for (auto& [key, warm] : warm_) {
    auto found = std::find_if(warm.waiting.begin(), warm.waiting.end(),
                              [&](const Request& each) { return each.header.id == id; });
    if (found == warm.waiting.end()) continue;
    warm.waiting.erase(found);
    Report report{ReportKind::ended, StartStage::none, id};
    report.signal = SIGTERM;
    report.stopped = 1;
    reports_.push_back(report);
    return;
  }
}

/// Those whose import takes too long, and those that nobody has used for long.
void NestTable::end_idle_interpreters() {
  std::vector<std::string> slow;
  for (auto& [pid, nest] : nests_) {
    if (nest.warm_key.empty() || nest.close_at > clock_.steady()) continue;
    close(nest);
    if (!nest.importing) continue;
    nest.importing = false;
    nest.gone = true;
    ::kill(pid, SIGKILL);
    slow.push_back(nest.warm_key);
  }
  for (const std::string& key : slow) refuse(key, Refusal::slow);
}

/// What still waits for it gets another.
void NestTable::on_warm_death(const Nest& nest) {
  auto found = warm_.find(nest.warm_key);
  if (found == warm_.end()) return;
  if (nest.importing) return refuse(nest.warm_key, Refusal::ends);
  if (!found->second.waiting.empty()) serve(nest.warm_key);
}

void NestTable::forget_keys() {
  auto now = clock_.steady();
  std::erase_if(warm_, [&](const auto& each) {
    bool is_used = std::any_of(nests_.begin(), nests_.end(), [&](const auto& nest) {
      return nest.second.warm_key == each.first;
    });
    return !is_used && each.second.waiting.empty() && each.second.refused_until <= now;
  });
}

}  // namespace exec
