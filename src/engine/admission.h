// The decision core across runs: who may start, given the machine's slots and the limits of
// concurrency keys. Pure, like apply(). Whoever needs no slot goes first, by priority and age; then
// fair share between organizations, and within one the priority of the run, of the task, then age.
// Nothing waits that could be granted. Slots are derived from the holders, never counted apart.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "model/plan.h"

namespace engine {

class Admission {
 public:
  /// What holds or waits: a task run, or a run as a whole.
  struct Place {
    base::RunId run;
    model::TaskIndex task;
    auto operator<=>(const Place&) const = default;
  };
  static constexpr model::TaskIndex whole_run = UINT32_MAX;

  struct Request {
    Place place;
    std::string org_id;
    int run_priority = 0;
    int task_priority = 0;
    bool needs_slot = true;   // one of the machine's
    std::string key = {};     // of a concurrency limit; empty: none
    std::uint32_t limit = 0;  // holders of the key at a time
    base::Timestamp since{};  // waits since; of equals, the older run's first
  };

  explicit Admission(std::size_t slots) : slots_(slots) {}

  /// A place that waits or holds already stays as it is.
  void request(Request request);
  /// The place holds already: its run was read back while the attempt goes on.
  void hold(const Request& request);
  /// The place waits no longer, or holds nothing any more.
  void release(Place place);
  /// The next place to be granted; it holds from here on.
  std::optional<Place> grant();

  std::size_t slots() const { return slots_; }
  /// Places that hold one of the machine's slots.
  std::size_t slots_held() const { return slots_held_; }
  std::size_t holders() const { return holders_.size(); }
  std::size_t waiting() const { return waiting_.size(); }
  bool holds(Place place) const { return holders_.contains(place); }
  bool waits(Place place) const { return waiting_.contains(place); }
  /// Those who hold a slot of the machine; those who hold the key.
  std::vector<Place> slot_holders() const;
  std::vector<Place> key_holders(const std::string& key) const;
  /// Those who hold the key or wait for it, in the order of runs, which is that of their creation.
  std::vector<Place> key_places(const std::string& key) const;
  /// The waiting request of a place; null when it does not wait.
  const Request* waiting_request(Place place) const;

 private:
  /// The order of requests within one queue.
  struct Rank {
    int run_priority;
    int task_priority;
    base::Timestamp since;
    Place place;
    bool operator<(const Rank& other) const {
      return std::tie(other.run_priority, other.task_priority, since, place) <
             std::tie(run_priority, task_priority, other.since, other.place);
    }
    bool operator==(const Rank&) const = default;
  };
  using Queue = std::set<Rank>;
  struct Waiting {
    Request request;
    Rank rank;
  };
  struct Holder {
    std::string org_id;
    bool needs_slot;
    std::string key;
  };
  struct Organization {
    std::size_t slots_held = 0;
    std::uint64_t granted_at = 0;  // number of the last grant
    Queue queue;                   // may start as soon as there is a slot
  };
  /// Requests of one key that go into the same queue and have the same limit. The first of them
  /// stands in that queue while the key has room, so that a key costs the same however many wait.
  struct Lane {
    Queue* queue;
    Queue waiting;
    std::optional<Rank> shown;  // who stands in the queue
  };
  using LaneName = std::tuple<bool, std::string, std::uint32_t>;  // needs_slot, org_id, limit
  struct Key {
    std::set<Place> holders;
    std::map<LaneName, Lane> lanes;
  };

  Queue& queue_of(const Request& request);
  static LaneName lane_of(const Request& request);
  void refresh(const std::string& key);
  Organization* next_organization();
  Place start(Queue& queue);
  void add_holder(const Request& request);
  void drop_holder(std::map<Place, Holder>::iterator holder);
  void drop_waiting(std::map<Place, Waiting>::iterator waiting);

  std::size_t slots_;
  std::size_t slots_held_ = 0;
  std::uint64_t grants_ = 0;  // so far
  std::map<std::string, Organization, std::less<>> organizations_;
  std::unordered_map<std::string, Key> keys_;
  Queue slotless_;  // of requests that need no slot of the machine
  std::map<Place, Waiting> waiting_;
  std::map<Place, Holder> holders_;
};

}  // namespace engine
