// What server and spawner say to each other: packets on a SOCK_SEQPACKET socket pair. Both ends are
// the same program, so a packet is a plain struct in memory order, followed by strings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/process.h"
#include "exec/unique_fd.h"

namespace exec {

struct Packet {
  std::string bytes;
  std::vector<UniqueFd> fds;
};

// Server to spawner.

enum class RequestKind : std::uint32_t {
  start,
  stop,
  kill,
  probe,       // of the isolation, by the spawner
  start_warm,  // an interpreter that attempts of the same code will use
};

struct RequestHeader {
  RequestKind kind = RequestKind::start;
  std::uint32_t has_stdin = 0;      // else /dev/null
  std::uint32_t has_result = 0;     // a pipe as file descriptor 3
  std::uint32_t payload_aside = 0;  // too big for a packet: in a memory file, the first descriptor
  ProcessId id = 0;
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t cpu_seconds_max = 0;
  std::uint64_t file_bytes_max = 0;
  std::uint64_t processes_max = 0;
  std::uint64_t cpu_millis_max = 0;
  std::int64_t grace_ms = 0;
  std::uint32_t argument_count = 0;
  std::uint32_t variable_count = 0;
  WarmStart warm = WarmStart::none;
  std::uint32_t user_id = 0;             // the spawner's addition, for its nests
  std::uint32_t has_run_mount = 0;       // the same: a descriptor is the run's directory
  std::uint32_t has_artifact_mount = 0;  // after it, that of the artifact
  std::uint32_t unused = 0;
  std::uint64_t payload_bytes = 0;  // texts, each ended by a zero byte: see RequestTexts
};

/// Why code must start in a fresh interpreter. The numbers are Python's too.
enum class Refusal : std::int32_t {
  none = 0,
  fails = 1,   // its import raises, or it has no main
  prints = 2,  // more than can be kept
  thread = 3,
  socket = 4,
  ends = 5,  // the interpreter did not live to the end of the import
  slow = 6,
  process = 7,
};
/// For the log of the task; empty where a fresh interpreter says it better.
std::string_view refusal_text(Refusal refusal);

/// The texts of a start request, in this order. They point into its payload.
struct RequestTexts {
  const char* directory = nullptr;
  const char* organization = nullptr;
  const char* run_directory = nullptr;
  const char* artifact_directory = nullptr;
  const char* code = nullptr;
  std::vector<const char*> arguments;
  std::vector<const char*> variables;
};

struct Request {
  RequestHeader header;
  std::string payload;
  std::vector<UniqueFd>
      fds;  // stdin if any, stdout, stderr, result if any, mounts of run and artifact

  RequestTexts texts() const;
};

/// A start request without its pipes. Errors: `invalid` for what no program can be started with,
/// `too_large` beyond limits::process_request_bytes_max.
base::Result<Packet> encode_start(ProcessId id, const ProcessSpec& spec);
Packet encode_order(RequestKind kind, ProcessId id);
/// The request as it came, to pass it on; takes its descriptors. Error `unavailable`.
base::Result<Packet> encode_again(Request request);
/// Nothing if the packet is not one that the functions above make.
std::optional<Request> decode_request(std::span<const char> bytes, std::vector<UniqueFd> fds);

// Spawner to server.

enum class ReportKind : std::uint32_t {
  ready,
  ended,
  not_started,
  // Of nests, with id 0.
  idle,          // nothing is left of its attempt, another of the same run may come
  warm_ready,    // one attempt more can be given to its interpreter
  warm_refused,  // its code cannot be kept warm: `error` is a Refusal
  warm_gone,     // its interpreter has ended
};

/// Where a start failed.
enum class StartStage : std::uint32_t { none, isolation, process, limits, directory, program };

struct Report {
  ReportKind kind = ReportKind::ready;
  StartStage stage = StartStage::none;
  ProcessId id = 0;
  std::int32_t error = 0;  // errno of a failed start
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  std::uint16_t stopped = 0;
  std::uint16_t left_children = 0;
};

/// The first packet of the spawner: a Report of kind `ready`, its exit_code an IsolationLevel, its
/// signal has_cgroups, followed by the text of the reason.
std::string encode_ready(const Isolation& isolation);
std::optional<Isolation> decode_ready(std::span<const char> bytes);

// Transport. Neither function blocks.

enum class Transfer { done, not_now, closed };

Transfer send_packet(int socket, std::span<const char> bytes, std::span<const UniqueFd> fds);

class PacketReader {
 public:
  PacketReader();
  /// On `done`, `bytes` holds one packet until the next call.
  Transfer receive(int socket, std::span<const char>& bytes, std::vector<UniqueFd>& fds);

 private:
  std::vector<char> buffer_;
};

}  // namespace exec
