#include "exec/host_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace exec {

namespace {

std::string error_text(int error) {
  return std::system_category().message(error);
}

base::Error no_pipe() {
  return base::unavailable("no pipe for a process: " + error_text(errno));
}

base::ErrorCode start_error_code(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return base::ErrorCode::not_found;
    case EACCES:
    case EPERM:
      return base::ErrorCode::forbidden;
    case E2BIG:
      return base::ErrorCode::too_large;
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
      return base::ErrorCode::unavailable;
    default:
      return base::ErrorCode::invalid;
  }
}

}  // namespace

HostProcess::HostProcess(ProcessId id, ProcessSpec& spec, ProcessCallbacks callbacks)
    : id_(id),
      callbacks_(std::move(callbacks)),
      program_(spec.argv[0]),
      directory_(std::move(spec.working_directory)),
      grace_(spec.stop_grace),
      result_bytes_max_(spec.result_bytes_max) {
  stream(Channel::errors).splitter = &error_lines_;
  if (spec.stdout_mode == OutputMode::log) stream(Channel::output).splitter = &output_lines_;
}

base::Result<> HostProcess::open(ProcessSpec& spec, std::vector<UniqueFd>& child_fds) {
  if (!spec.stdin_data.empty()) TRY(open_input(std::move(spec.stdin_data), child_fds));
  TRY(open_output(Channel::output, child_fds));
  TRY(open_output(Channel::errors, child_fds));
  if (spec.result_channel) TRY(open_output(Channel::result, child_fds));
  return {};
}

base::Result<> HostProcess::open_input(std::string data, std::vector<UniqueFd>& child_fds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return no_pipe();
  child_fds.emplace_back(ends[0]);
  stream(Channel::input).fd.reset(ends[1]);
  ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
  input_ = std::move(data);
  write_input();  // what fits into the pipe; mostly that is all
  return {};
}

base::Result<> HostProcess::open_output(Channel channel, std::vector<UniqueFd>& child_fds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return no_pipe();
  stream(channel).fd.reset(ends[0]);
  child_fds.emplace_back(ends[1]);
  return {};
}

base::Result<> HostProcess::watch(int epoll) {
  epoll_ = epoll;
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (!streams_[i].fd) continue;
    auto channel = static_cast<Channel>(i);
    epoll_event event{};
    event.events = channel == Channel::input ? EPOLLOUT : EPOLLIN;
    event.data.u64 = channel_key(id_, channel);
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, streams_[i].fd.get(), &event) != 0) {
      return base::unavailable("cannot watch the output of a process: " + error_text(errno));
    }
  }
  return {};
}

bool HostProcess::on_ready(Channel channel, std::span<char> buffer, base::Timestamp now) {
  if (!stream(channel).fd) return true;
  if (channel != Channel::input) return read_some(stream(channel), buffer, now);
  write_input();
  return true;
}

void HostProcess::write_input() {
  UniqueFd& fd = stream(Channel::input).fd;
  while (input_written_ < input_.size()) {
    ssize_t n = ::write(fd.get(), input_.data() + input_written_, input_.size() - input_written_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) break;  // EPIPE: the process does not want the rest
    input_written_ += static_cast<std::size_t>(n);
  }
  close(fd);
  input_ = {};
  input_written_ = 0;
}

/// Pipes are in blocking mode: one read after epoll announced bytes or the end never blocks.
bool HostProcess::read_some(Stream& stream, std::span<char> buffer, base::Timestamp now) {
  ssize_t n = ::read(stream.fd.get(), buffer.data(), buffer.size());
  if (n < 0 && errno == EINTR) return true;
  if (n > 0) return take(stream, {buffer.data(), static_cast<std::size_t>(n)}, now);
  end_stream(stream, now);
  return true;
}

bool HostProcess::take(Stream& stream, std::string_view bytes, base::Timestamp now) {
  if (stream.splitter != nullptr) {
    std::vector<LogLine> lines;
    stream.splitter->feed(bytes, now, lines);
    deliver(std::move(lines));
    return true;
  }
  if (bytes.size() <= result_bytes_max_ - result_.size()) {
    result_.append(bytes);
    return true;
  }
  result_too_large_ = true;
  result_ = {};
  close(stream.fd);
  return false;
}

void HostProcess::end_stream(Stream& stream, base::Timestamp now) {
  close(stream.fd);
  if (stream.splitter == nullptr) return;
  std::vector<LogLine> lines;
  stream.splitter->finish(now, lines);
  deliver(std::move(lines));
}

/// Reads what is in the pipe now, and no more: somebody outside may hold its other end.
void HostProcess::drain(Stream& stream, std::span<char> buffer, base::Timestamp now) {
  int left = 0;
  if (::ioctl(stream.fd.get(), FIONREAD, &left) != 0) left = 0;
  while (left > 0 && stream.fd) {
    std::size_t wanted = std::min(buffer.size(), static_cast<std::size_t>(left));
    ssize_t n = ::read(stream.fd.get(), buffer.data(), wanted);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    left -= static_cast<int>(n);
    take(stream, {buffer.data(), static_cast<std::size_t>(n)}, now);
  }
  if (stream.fd) end_stream(stream, now);
}

void HostProcess::finish(const Report& report, std::span<char> buffer, base::Timestamp now) {
  close(stream(Channel::input).fd);
  for (Channel channel : {Channel::output, Channel::errors, Channel::result}) {
    if (stream(channel).fd) drain(stream(channel), buffer, now);
  }
  ProcessEnd end;
  if (report.kind == ReportKind::not_started) end.start_error = start_error(report);
  end.exit_code = report.exit_code;
  end.signal = report.signal;
  end.stopped = report.stopped != 0;
  end.result_too_large = result_too_large_;
  end.result = std::move(result_);
  end.left_children = report.left_children != 0;
  if (callbacks_.on_end) callbacks_.on_end(std::move(end));
}

void HostProcess::close(UniqueFd& fd) {
  if (fd && epoll_ >= 0) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

void HostProcess::deliver(std::vector<LogLine> lines) {
  if (!lines.empty() && callbacks_.on_lines) callbacks_.on_lines(std::move(lines));
}

base::Error HostProcess::start_error(const Report& report) const {
  std::string what;
  switch (report.stage) {
    case StartStage::program:
      what = fmt::format("cannot start program \"{}\"", program_);
      break;
    case StartStage::directory:
      what = fmt::format("working directory \"{}\"", directory_);
      break;
    case StartStage::isolation:
      what = "cannot isolate a process";
      break;
    case StartStage::limits:
      what = "cannot set the limits of a process";
      break;
    default:
      what = "cannot start a process";
  }
  return {start_error_code(report.error), what + ": " + error_text(report.error)};
}

}  // namespace exec
