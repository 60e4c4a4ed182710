// A node type: what an attempt of it runs, and what the end of that means. A type is one file with
// one constant; the list of them is catalog.cc. Example to copy: shell.cc.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "clients/sql.h"
#include "exec/process.h"
#include "model/node_type.h"
#include "model/status.h"
#include "model/value.h"
#include "net/http_client.h"

namespace nodes {

/// What an attempt is given.
struct NodeContext {
  std::string config;                    // JSON text, checked when the flow was registered
  std::string inputs;                    // JSON object
  std::string parameters;                // JSON object
  std::string working_directory;         // shared by the attempts of one run
  std::string artifact_directory;        // of its files, to read; empty without an artifact
  std::string sdk_path;                  // of the Python SDK; empty without one
  std::vector<std::string> environment;  // DAGY_RUN_ID and its like, "NAME=value"
  std::string idempotency_key;           // the same for every attempt
  std::string traceparent;               // W3C trace context: the trace is the run
  /// How to reach the database of the organization's connection of that name. `not_found`.
  std::function<base::Result<clients::DatabaseAccess>(const std::string& name)> connection;
};

struct Prepared {
  exec::ProcessSpec process;
};

/// How an attempt ended.
struct Outcome {
  bool succeeded = false;
  std::string output;      // JSON text, when succeeded
  model::Failure failure;  // when not

  static Outcome success(std::string json) { return {true, std::move(json), {}}; }
  static Outcome fail(std::string kind, std::string message) {
    return {false, {}, {std::move(kind), std::move(message)}};
  }
};

/// An attempt that is a conversation over HTTP, held by the server itself.
class Exchange {
 public:
  virtual ~Exchange() = default;
  /// The first request (`last` is null), the next one after an answer, of which it may keep what it
  /// likes, or how the attempt ended.
  virtual std::variant<net::HttpRequest, Outcome> next(net::HttpEnd* last) = 0;
};

/// What a delay or an approval waits for.
struct Wait {
  std::optional<base::Timestamp> until;
  model::WaitEnd then = model::WaitEnd::succeed;
  // Of an approval.
  std::string message = {};
  std::vector<std::string> assignees = {};
  std::string form = "[]";
};

struct NodeType {
  model::NodeTypeInfo info;
  /// The process of an attempt; null for a type that has none.
  base::Result<Prepared> (*prepare)(const NodeContext&) = nullptr;
  /// Called for a process that ended with exit code 0, or that gave a result before it failed; all
  /// other ends are one rule for all types (conclude() below). `last_line` is the last line of its
  /// standard output, nothing when that was too long to be kept whole.
  Outcome (*result)(const exec::ProcessEnd&, std::optional<std::string_view> last_line) = nullptr;
  /// Instead of a process.
  base::Result<std::unique_ptr<Exchange>> (*converse)(const NodeContext&) = nullptr;
  /// Of a type that waits: `config` is JSON text with its templates filled in.
  base::Result<Wait> (*wait)(std::string config, base::Timestamp now) = nullptr;
};

/// Config of type subflow.
struct SubflowConfig {
  std::string flow;
  std::optional<std::string> flow_version;
  base::RawJson parameters = {"{}"};
  bool wait = true;
  static const base::Fields& fields();
};
base::Result<SubflowConfig> read_subflow(std::string config);

/// The process of one SQL statement, and what its end means.
exec::ProcessSpec sql_process(const clients::SqlTask& task);
Outcome sql_result(const exec::ProcessEnd& end);

/// What the end of an attempt's process means.
Outcome conclude(const NodeType& type, const exec::ProcessEnd& end,
                 std::optional<std::string_view> last_line);

/// Variables that every process gets: a PATH, a locale, and the context's.
std::vector<std::string> base_environment(const NodeContext& context);

}  // namespace nodes
