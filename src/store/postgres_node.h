// This node's row in a PostgreSQL database: how it comes to work, shows that it lives, and finds
// out that another has taken over.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/thread_safety.h"
#include "store/membership.h"
#include "store/postgres_batch.h"
#include "store/postgres_pool.h"

namespace store {

class PostgresNode : public Membership {
 public:
  /// `taken_over` is called once, on any thread, when another node works in this one's place.
  PostgresNode(PostgresPool& pool, base::Clock& clock, std::function<void()> taken_over);
  ~PostgresNode() override;

  base::Result<std::optional<WorkingNode>> acquire(const NodeIdentity& identity) override;
  void wait_for_change() override;
  std::uint16_t node() const override { return static_cast<std::uint16_t>(node_.load()); }
  void release() override;

  Fence fence() const { return {node_.load(), generation_.load()}; }
  /// Whoever still has a transaction of this node under way, commits nothing any more: the node
  /// begins a new generation, after those that commit just now. `conflict` when it was taken over.
  base::Result<> begin_generation();
  /// Another node works: says so, once.
  void end();

 private:
  struct Seen {
    std::optional<WorkingNode> other;      // that lives
    std::optional<std::int64_t> mine;      // this one, of an earlier start
    std::vector<std::int64_t> used, dead;  // all ids; those whose runs may be taken over
    std::int64_t generation = 0;           // the highest
  };
  base::Result<Seen> look(Tx& tx, const NodeIdentity& identity);
  base::Result<> end_sessions(Tx& tx);
  base::Result<std::optional<WorkingNode>> try_to_work(Tx& tx, const NodeIdentity& identity);
  bool seems_dead(const WorkingNode& node, base::Timestamp now);
  base::Result<> beat();
  void beat_loop();

  PostgresPool& pool_;
  base::Clock& clock_;
  const std::function<void()> taken_over_;
  std::string instance_;
  std::atomic<std::int64_t> node_ = 0;
  std::atomic<std::int64_t> generation_ = 0;
  std::atomic<std::int64_t> generation_tried_ = 0;  // the one in the row, if not generation_
  std::atomic<bool> works_ = false;
  std::atomic<bool> ended_ = false;

  // The working node whose heartbeat was last seen to change, and when that was.
  WorkingNode observed_;
  base::SteadyTime observed_since_{};
  std::unique_ptr<PostgresConnection> listening_;

  std::unique_ptr<PostgresConnection> beating_;
  base::Mutex mutex_;
  base::CondVar stopped_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread heart_;
};

}  // namespace store
