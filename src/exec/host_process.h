// The server's side of one process: its pipes, its lines, its result.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "exec/line_splitter.h"
#include "exec/process.h"
#include "exec/spawner_protocol.h"
#include "exec/unique_fd.h"

namespace exec {

enum class Channel : std::uint64_t { input, output, errors, result };

/// Key of a channel in epoll. Process ids are never reused, so a late event finds nothing.
inline std::uint64_t channel_key(ProcessId id, Channel channel) {
  return id << 2 | static_cast<std::uint64_t>(channel);
}

class HostProcess {
 public:
  /// Takes what it needs from `spec`.
  HostProcess(ProcessId id, ProcessSpec& spec, ProcessCallbacks callbacks);

  /// Makes the pipes; the process's ends are added to `child_fds` in the order of Request::fds.
  base::Result<> open(ProcessSpec& spec, std::vector<UniqueFd>& child_fds);
  base::Result<> watch(int epoll);

  // From here on only the host's thread.

  /// The channel can be read or written without blocking. `buffer` is scratch. False: the process
  /// must be killed, its result is too large.
  bool on_ready(Channel channel, std::span<char> buffer, base::Timestamp now);
  /// The process is gone: delivers what is left in its pipes, then the end.
  void finish(const Report& report, std::span<char> buffer, base::Timestamp now);

  std::chrono::milliseconds grace() const { return grace_; }

 private:
  struct Stream {
    UniqueFd fd;
    LineSplitter* splitter = nullptr;  // null: bytes of the result
  };

  Stream& stream(Channel channel) { return streams_[static_cast<std::size_t>(channel)]; }
  base::Result<> open_input(std::string data, std::vector<UniqueFd>& child_fds);
  base::Result<> open_output(Channel channel, std::vector<UniqueFd>& child_fds);
  void write_input();
  bool read_some(Stream& stream, std::span<char> buffer, base::Timestamp now);
  bool take(Stream& stream, std::string_view bytes, base::Timestamp now);
  void drain(Stream& stream, std::span<char> buffer, base::Timestamp now);
  void end_stream(Stream& stream, base::Timestamp now);
  void close(UniqueFd& fd);
  void deliver(std::vector<LogLine> lines);
  base::Error start_error(const Report& report) const;

  ProcessId id_;
  ProcessCallbacks callbacks_;
  std::string program_;
  std::string directory_;
  std::chrono::milliseconds grace_;
  std::size_t result_bytes_max_;
  int epoll_ = -1;

  std::string input_;
  std::size_t input_written_ = 0;
  std::array<Stream, 4> streams_;
  LineSplitter output_lines_{false};
  LineSplitter error_lines_{true};
  std::string result_;
  bool result_too_large_ = false;
};

}  // namespace exec
