#include "store/postgres_node.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"

namespace store {

namespace limits = base::limits;

namespace {

// The database's clock, in microseconds.
constexpr std::string_view now_text =
    "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";

// A node id that no row has.
std::int64_t free_id(const std::vector<std::int64_t>& used) {
  std::int64_t id = used.empty() ? 0 : *std::max_element(used.begin(), used.end()) + 1;
  while (std::find(used.begin(), used.end(), id % limits::node_ids_max) != used.end()) ++id;
  return id % limits::node_ids_max;
}

}  // namespace

PostgresNode::PostgresNode(PostgresPool& pool, base::Clock& clock, std::function<void()> taken_over)
    : pool_(pool), clock_(clock), taken_over_(std::move(taken_over)) {}

PostgresNode::~PostgresNode() {
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (heart_.joinable()) heart_.join();
}

// ---- coming to work ----

base::Result<std::optional<WorkingNode>> PostgresNode::acquire(const NodeIdentity& identity) {
  instance_ = identity.instance;
  // The pool's: the first request finds it open.
  std::unique_ptr<PostgresConnection> connection = TRY(pool_.borrow());
  std::optional<WorkingNode> other;
  base::Result<> asked = transact(*connection, [&](Tx& tx) -> base::Result<> {
    other = TRY(try_to_work(tx, identity));
    return {};
  });
  pool_.give_back(std::move(connection));
  TRY(std::move(asked));
  if (other) return other;
  listening_.reset();
  works_ = true;
  heart_ = std::thread([this] { beat_loop(); });
  return other;
}

// One node at a time gets past the lock; rows of those that commit just now are waited for.
base::Result<std::optional<WorkingNode>> PostgresNode::try_to_work(Tx& tx,
                                                                   const NodeIdentity& identity) {
  Seen before = TRY(look(tx, identity));
  if (before.other) return before.other;
  if (!before.dead.empty()) TRY(end_sessions(tx));
  TRY(tx.run("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE", {}));
  auto [other, mine, used, dead, generation] = TRY(look(tx, identity));
  if (other) return other;
  std::int64_t id = mine ? *mine : free_id(used);
  ++generation;
  // Whoever has one of these rows as its fence commits first, or never.
  for (std::int64_t node : dead) TRY(tx.run("DELETE FROM nodes WHERE node_id = ?1", {node}));
  TRY(tx.run(fmt::format("INSERT INTO nodes (node_id, generation, instance, address, started_at, "
                         "heartbeat_at) VALUES (?1, ?2, ?3, ?4, {0}, {0})",
                         now_text),
             {id, generation, identity.instance, identity.address}));
  TRY(tx.run("UPDATE run_live SET owner_node = ?1 WHERE owner_node <> ?1", {id}));
  node_ = id;
  generation_ = generation_tried_ = generation;
  return other;
}

base::Result<PostgresNode::Seen> PostgresNode::look(Tx& tx, const NodeIdentity& identity) {
  Seen seen;
  TRY(tx.run(fmt::format("SELECT node_id, generation, instance, address, heartbeat_at, {} FROM "
                         "nodes ORDER BY node_id",
                         now_text),
             {}, [&](const Row& row) {
               WorkingNode node{row.integer(0), row.string(3), row.timestamp(4)};
               seen.used.push_back(node.node);
               seen.generation = std::max(seen.generation, row.integer(1));
               bool is_mine = row.text(2) == identity.instance;
               if (is_mine) seen.mine = node.node;
               if (is_mine || seems_dead(node, row.timestamp(5))) {
                 seen.dead.push_back(node.node);
               } else {
                 seen.other = node;
               }
             }));
  return seen;
}

// A node that was paused or cut off in the middle of a transaction holds its row for as long as the
// database believes in the connection: between statements that were sent together, no time limit of
// the database applies.
base::Result<> PostgresNode::end_sessions(Tx& tx) {
  TRY(
      tx.run("SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_locks JOIN pg_stat_activity "
             "USING (pid) WHERE relation = CAST('nodes' AS regclass) AND mode IN ('RowShareLock', "
             "'RowExclusiveLock') AND datname = current_database() AND usename = current_user AND "
             "pid NOT IN (SELECT pid FROM "
             "pg_locks WHERE relation = CAST('nodes' AS regclass) AND mode = "
             "'ShareRowExclusiveLock') AND pid <> pg_backend_pid()",
             {}));
  return {};
}

// By its own word it has stopped; or its heartbeat is old, and was not seen to change while this
// node looked on: after the database itself was away, the node that works comes back first.
bool PostgresNode::seems_dead(const WorkingNode& node, base::Timestamp now) {
  if (node.last_heartbeat == base::Timestamp{}) return true;
  base::SteadyTime seen = clock_.steady();
  if (observed_.node != node.node || observed_.last_heartbeat != node.last_heartbeat ||
      observed_since_ == base::SteadyTime{}) {
    observed_ = node;
    observed_since_ = seen;
  }
  return now - node.last_heartbeat > limits::node_lease &&
         seen - observed_since_ >= limits::node_observation_min;
}

void PostgresNode::wait_for_change() {
  auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(limits::node_heartbeat);
  if (!listening_ || listening_->is_lost()) {
    listening_.reset();
    if (auto opened = pool_.open(PostgresUse::requests)) {
      bool listens = static_cast<bool>(transact(**opened, [](Tx& tx) -> base::Result<> {
        TRY(tx.run("LISTEN dagy_nodes", {}));
        return {};
      }));
      if (listens) listening_ = std::move(*opened);
    }
  }
  if (listening_ && listening_->wait_for_notification(limit)) return;
  base::MutexLock lock(mutex_);
  if (!stopping_) stopped_.wait_for(mutex_, limit);
}

// ---- working ----

base::Result<> PostgresNode::beat() {
  if (!beating_ || !beating_->is_usable()) beating_ = TRY(pool_.open(PostgresUse::requests));
  std::int64_t rows = 0;
  TRY(transact(*beating_, [&](Tx& tx) -> base::Result<> {
    rows = TRY(tx.run(fmt::format("UPDATE nodes SET heartbeat_at = {} WHERE node_id = ?1 AND "
                                  "instance = ?2",
                                  now_text),
                      {node_.load(), instance_}));
    return {};
  }));
  if (rows == 0 && works_) end();
  return {};
}

void PostgresNode::beat_loop() {
  bool failing = false;
  while (true) {
    {
      base::MutexLock lock(mutex_);
      if (!stopping_) stopped_.wait_for(mutex_, limits::node_heartbeat);
      if (stopping_) return;
    }
    base::Result<> done = beat();
    if (!done && !failing) base::log_warning("no heartbeat", {{"error", done.error().message}});
    failing = !done;
  }
}

base::Result<> PostgresNode::begin_generation() {
  std::unique_ptr<PostgresConnection> connection = TRY(pool_.open(PostgresUse::requests));
  std::int64_t rows = 0;
  std::int64_t next = std::max(generation_.load(), generation_tried_.load()) + 1;
  std::int64_t tried = generation_tried_.exchange(next);
  base::Result<> done = transact(*connection, [&](Tx& tx) -> base::Result<> {
    TRY(end_sessions(tx));  // the database may not know yet that the connection is lost
    rows =
        TRY(tx.run("UPDATE nodes SET generation = ?1 WHERE node_id = ?2 AND instance = ?3 AND "
                   "generation BETWEEN ?4 AND ?5",
                   {next, node_.load(), instance_, generation_.load(), tried}));
    return {};
  });
  TRY(std::move(done));
  if (rows == 0) return base::conflict("another node has taken over");
  generation_ = next;
  return {};
}

void PostgresNode::end() {
  works_ = false;
  if (!ended_.exchange(true) && taken_over_) taken_over_();
}

void PostgresNode::release() {
  if (!works_.exchange(false)) return;
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.notify_all();
  }
  if (heart_.joinable()) heart_.join();
  base::Result<std::unique_ptr<PostgresConnection>> connection = pool_.open(PostgresUse::requests);
  base::Result<> done;
  if (connection)
    done = transact(**connection, [&](Tx& tx) -> base::Result<> {
      TRY(tx.run("UPDATE nodes SET heartbeat_at = 0 WHERE node_id = ?1 AND generation = ?2",
                 {node_.load(), generation_.load()}));
      TRY(tx.run("NOTIFY dagy_nodes", {}));
      return {};
    });
  if (!connection || !done)
    base::log_warning("the node could not be released: another takes over when its time is up");
}

}  // namespace store
