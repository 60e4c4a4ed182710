#include "exec/spawner_protocol.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "exec/process_tree.h"

namespace exec {

namespace {

constexpr std::size_t packet_bytes_max = 32u << 10;
constexpr std::size_t packet_fds_max = 8;

bool has_zero(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

base::Result<> check_spec(const ProcessSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return base::invalid("no program to start");
  if (spec.result_channel && spec.stdout_mode == OutputMode::result) {
    return base::invalid(
        "a result comes from standard output or from the result channel, not both");
  }
  for (const std::string& argument : spec.argv) {
    if (has_zero(argument)) return base::invalid("an argument holds a zero byte");
  }
  for (const std::string& variable : spec.environment) {
    std::size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos || has_zero(variable)) {
      return base::invalid("an environment variable is not of the form NAME=value");
    }
  }
  if (has_zero(spec.working_directory) || has_zero(spec.run_directory) ||
      has_zero(spec.artifact_directory)) {
    return base::invalid("the working directory holds a zero byte");
  }
  if (has_zero(spec.organization)) return base::invalid("the organization holds a zero byte");
  return {};
}

void append_text(std::string& out, const std::string& text) {
  out.append(text.c_str(), text.size() + 1);
}

base::Result<UniqueFd> memory_file(std::string_view bytes) {
  UniqueFd file(::memfd_create("dagy-start", MFD_CLOEXEC));
  if (!file) return base::unavailable("no memory file: " + std::string(std::strerror(errno)));
  std::size_t at = 0;
  while (at < bytes.size()) {
    ssize_t n = ::pwrite(file.get(), bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    if (n <= 0) return base::unavailable("no memory for the environment of a process");
    at += static_cast<std::size_t>(n);
  }
  return file;
}

bool read_memory_file(int file, std::string& out, std::size_t size) {
  out.resize(size);
  std::size_t at = 0;
  while (at < size) {
    ssize_t n = ::pread(file, out.data() + at, size - at, static_cast<off_t>(at));
    if (n <= 0) return false;
    at += static_cast<std::size_t>(n);
  }
  return true;
}

bool is_well_formed(const Request& request) {
  const RequestHeader& header = request.header;
  if (request.payload.size() != header.payload_bytes) return false;
  if (header.kind != RequestKind::start && header.kind != RequestKind::start_warm) return true;
  std::size_t fds_wanted = std::size_t{2} + (header.has_stdin != 0) + (header.has_result != 0) +
                           (header.has_run_mount != 0) + (header.has_artifact_mount != 0);
  std::size_t texts_wanted = std::size_t{5} + header.argument_count + header.variable_count;
  auto zeros = std::count(request.payload.begin(), request.payload.end(), '\0');
  return header.argument_count > 0 && request.fds.size() == fds_wanted &&
         static_cast<std::size_t>(zeros) == texts_wanted && request.payload.ends_with('\0');
}

void take_fds(const msghdr& message, std::vector<UniqueFd>& fds) {
  const cmsghdr* control = CMSG_FIRSTHDR(&message);
  if (control == nullptr || control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) {
    return;
  }
  std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (std::size_t i = 0; i < count; ++i) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
    fds.emplace_back(fd);
  }
}

/// Puts the header in front of the payload, which goes into a memory file when it is large.
base::Result<> finish_packet(Packet& packet, RequestHeader& header) {
  std::string& bytes = packet.bytes;
  if (bytes.size() > packet_bytes_max) {
    header.payload_aside = 1;
    packet.fds.push_back(TRY(memory_file(std::string_view(bytes).substr(sizeof header))));
    bytes.resize(sizeof header);
  }
  std::memcpy(bytes.data(), &header, sizeof header);
  return {};
}

union ControlBuffer {
  char bytes[CMSG_SPACE(packet_fds_max * sizeof(int))];
  cmsghdr align;
};

}  // namespace

base::Result<Packet> encode_start(ProcessId id, const ProcessSpec& spec) {
  TRY(check_spec(spec));
  RequestHeader header;
  header.id = id;
  header.has_stdin = !spec.stdin_data.empty();
  header.has_result = spec.result_channel;
  header.memory_bytes_max = spec.memory_bytes_max;
  header.cpu_seconds_max = spec.cpu_seconds_max;
  header.file_bytes_max = spec.file_bytes_max;
  header.processes_max = spec.processes_max;
  header.cpu_millis_max = spec.cpu_millis_max;
  header.warm = has_zero(spec.warm_code) ? WarmStart::none : spec.warm;
  header.grace_ms = spec.stop_grace.count();
  header.argument_count = static_cast<std::uint32_t>(spec.argv.size());

  Packet packet;
  std::string& bytes = packet.bytes;
  bytes.reserve(4096);
  bytes.append(sizeof header, '\0');
  append_text(bytes, spec.working_directory);
  append_text(bytes, spec.organization);
  append_text(bytes, spec.run_directory);
  append_text(bytes, spec.artifact_directory);
  append_text(bytes, header.warm == WarmStart::none ? "" : spec.warm_code);
  for (const std::string& argument : spec.argv) append_text(bytes, argument);
  for (const std::string& variable : spec.environment) {
    if (variable.starts_with(marker_name)) continue;  // the spawner sets it
    append_text(bytes, variable);
    ++header.variable_count;
  }
  header.payload_bytes = bytes.size() - sizeof header;
  if (header.payload_bytes > base::limits::process_request_bytes_max) {
    return base::Error{base::ErrorCode::too_large,
                       "arguments and environment of a process are too large"};
  }
  TRY(finish_packet(packet, header));
  return packet;
}

base::Result<Packet> encode_again(Request request) {
  Packet packet;
  packet.bytes.reserve(sizeof request.header + request.payload.size());
  packet.bytes.append(sizeof request.header, '\0').append(request.payload);
  request.header.payload_aside = 0;
  TRY(finish_packet(packet, request.header));
  std::move(request.fds.begin(), request.fds.end(), std::back_inserter(packet.fds));
  return packet;
}

RequestTexts Request::texts() const {
  RequestTexts texts;
  const char* text = payload.data();
  auto next = [&text] { return std::exchange(text, text + std::string_view(text).size() + 1); };
  texts.directory = next();
  texts.organization = next();
  texts.run_directory = next();
  texts.artifact_directory = next();
  texts.code = next();
  for (std::uint32_t i = 0; i < header.argument_count; ++i) texts.arguments.push_back(next());
  for (std::uint32_t i = 0; i < header.variable_count; ++i) texts.variables.push_back(next());
  return texts;
}

std::string_view refusal_text(Refusal refusal) {
  switch (refusal) {
    case Refusal::none:
    case Refusal::fails:
      return "";
    case Refusal::prints:
      return "its import prints more than 1 MiB";
    case Refusal::thread:
      return "its import leaves a thread running";
    case Refusal::socket:
      return "its import leaves a socket open";
    case Refusal::ends:
      return "the interpreter ended while it imported the code";
    case Refusal::slow:
      return "its import took too long";
    case Refusal::process:
      return "its import starts a process";
  }
  return "";
}

std::string encode_ready(const Isolation& isolation) {
  Report report;
  report.exit_code = static_cast<std::int32_t>(isolation.level);
  report.signal = isolation.has_cgroups ? 1 : 0;
  return std::string(reinterpret_cast<const char*>(&report), sizeof report) + isolation.reason;
}

std::optional<Isolation> decode_ready(std::span<const char> bytes) {
  Report report;
  if (bytes.size() < sizeof report) return std::nullopt;
  std::memcpy(&report, bytes.data(), sizeof report);
  auto reason = bytes.subspan(sizeof report);
  return Isolation{static_cast<IsolationLevel>(report.exit_code),
                   {reason.begin(), reason.end()},
                   report.signal != 0};
}

Packet encode_order(RequestKind kind, ProcessId id) {
  RequestHeader header;
  header.kind = kind;
  header.id = id;
  return {std::string(reinterpret_cast<const char*>(&header), sizeof header), {}};
}

std::optional<Request> decode_request(std::span<const char> bytes, std::vector<UniqueFd> fds) {
  Request request;
  if (bytes.size() < sizeof request.header) return std::nullopt;
  std::memcpy(&request.header, bytes.data(), sizeof request.header);
  auto rest = bytes.subspan(sizeof request.header);
  request.fds = std::move(fds);
  const RequestHeader& header = request.header;
  if (header.payload_aside != 0) {
    if (request.fds.empty() || header.payload_bytes > base::limits::process_request_bytes_max ||
        !read_memory_file(request.fds[0].get(), request.payload, header.payload_bytes)) {
      return std::nullopt;
    }
    request.fds.erase(request.fds.begin());
  } else {
    request.payload.assign(rest.data(), rest.size());
  }
  if (!is_well_formed(request)) return std::nullopt;
  return request;
}

Transfer send_packet(int socket, std::span<const char> bytes, std::span<const UniqueFd> fds) {
  CHECK(fds.size() <= packet_fds_max);
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control{};
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      int fd = fds[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
  }
  for (;;) {
    if (::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return Transfer::done;
    if (errno == EINTR) continue;
    // ETOOMANYREFS: more descriptors under way than RLIMIT_NOFILE; the reader takes them soon.
    bool later = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS;
    return later ? Transfer::not_now : Transfer::closed;
  }
}

PacketReader::PacketReader() : buffer_(packet_bytes_max) {}

Transfer PacketReader::receive(int socket, std::span<const char>& bytes,
                               std::vector<UniqueFd>& fds) {
  iovec part{buffer_.data(), buffer_.size()};
  ControlBuffer control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  for (;;) {
    ssize_t n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return Transfer::not_now;
    if (n <= 0) return Transfer::closed;
    take_fds(message, fds);
    bytes = std::span(buffer_).first(static_cast<std::size_t>(n));
    return Transfer::done;
  }
}

}  // namespace exec
