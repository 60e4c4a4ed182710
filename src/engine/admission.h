// The decision core across runs: which queued task gets one of the machine's slots. Pure, like
// apply(). Order: age. Slots are derived from the holders, never counted apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "base/ids.h"
#include "model/plan.h"

namespace engine {

class Admission {
 public:
  struct Place {
    base::RunId run;
    model::TaskIndex task;
    auto operator<=>(const Place&) const = default;
  };

  explicit Admission(std::size_t slots) : slots_(slots) {}

  void request(Place place);
  /// The task has its slot already: its run was read back while the attempt goes on.
  void hold(Place place) { holders_.insert(place); }
  /// The task waits no longer, or holds no slot any more.
  void release(Place place);
  /// The next place to be granted; it holds its slot from here on.
  std::optional<Place> grant();

  std::size_t holders() const { return holders_.size(); }
  std::size_t waiting() const { return waiting_.size(); }
  bool holds(Place place) const { return holders_.contains(place); }

 private:
  std::size_t slots_;
  std::uint64_t age_ = 0;  // of the youngest request
  std::map<std::uint64_t, Place> queue_;
  std::map<Place, std::uint64_t> waiting_;  // the same by place
  std::set<Place> holders_;
};

}  // namespace engine
