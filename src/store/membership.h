// Several servers may know one database. One of them works on its runs; the others stand by until
// it has given up that right, or has been silent for too long. docs/decisions/0012.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace store {

struct NodeIdentity {
  std::string instance;  // of a data directory: whoever holds its lock is the same node
  std::string address;   // where it is reached, for people
};

/// The node that works, as one that stands by sees it.
struct WorkingNode {
  std::int64_t node = 0;
  std::string address;
  base::Timestamp last_heartbeat;  // by the database's clock
};

class Membership {
 public:
  virtual ~Membership() = default;
  /// Nothing once this node has the right to work, which it then keeps by heartbeats; otherwise
  /// who has it. A node that was this one before (same instance) is succeeded at once.
  virtual base::Result<std::optional<WorkingNode>> acquire(const NodeIdentity& identity) = 0;
  /// Blocks until acquire() may have another answer, at most for a heartbeat.
  virtual void wait_for_change() = 0;
  /// Of the node that works; part of the ids of its runs.
  virtual std::uint16_t node() const = 0;
  /// Lets another node work at once. Nothing may be committed any more.
  virtual void release() = 0;
};

}  // namespace store
