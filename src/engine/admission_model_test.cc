// Admission against a naive model written from the rule in its header alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <list>

#include "base/random.h"
#include "engine/admission.h"

namespace engine {
namespace {

using Place = Admission::Place;
using Request = Admission::Request;

/// Looks through everything at every question.
class NaiveAdmission {
 public:
  explicit NaiveAdmission(std::size_t slots) : slots_(slots) {}

  void request(const Request& request) {
    if (!knows(request.place)) waiting_.push_back(request);
  }
  void hold(const Request& request) {
    if (!knows(request.place)) holders_.push_back(request);
  }
  void release(Place place) {
    auto is_it = [&](const Request& each) { return each.place == place; };
    holders_.remove_if(is_it);
    waiting_.remove_if(is_it);
  }
  std::optional<Place> grant() {
    auto best = waiting_.end();
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it)
      if (is_grantable(*it) && (best == waiting_.end() || goes_before(*it, *best))) best = it;
    if (best == waiting_.end()) return std::nullopt;
    Place place = best->place;
    if (best->needs_slot) last_grant_[best->org_id] = ++grants_;
    holders_.splice(holders_.end(), waiting_, best);
    return place;
  }

  bool waits(Place place) const { return has(waiting_, place); }
  bool holds(Place place) const { return has(holders_, place); }
  std::size_t slots_held() const { return held_by(nullptr); }
  std::size_t holders() const { return holders_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  static bool has(const std::list<Request>& list, Place place) {
    return std::any_of(list.begin(), list.end(),
                       [&](const Request& each) { return each.place == place; });
  }
  bool knows(Place place) const { return waits(place) || holds(place); }
  std::size_t held_by(const std::string* org) const {
    return std::size_t(std::count_if(holders_.begin(), holders_.end(), [&](const Request& each) {
      return each.needs_slot && (org == nullptr || each.org_id == *org);
    }));
  }
  bool is_grantable(const Request& request) const {
    if (request.needs_slot && slots_held() >= slots_) return false;
    if (request.key.empty()) return true;
    auto of_key = std::count_if(holders_.begin(), holders_.end(),
                                [&](const Request& each) { return each.key == request.key; });
    return std::cmp_less(of_key, request.limit);
  }
  bool goes_before(const Request& a, const Request& b) {
    if (a.needs_slot != b.needs_slot) return !a.needs_slot;
    if (a.needs_slot && a.org_id != b.org_id) {
      std::size_t held_a = held_by(&a.org_id), held_b = held_by(&b.org_id);
      if (held_a != held_b) return held_a < held_b;
      if (last_grant_[a.org_id] != last_grant_[b.org_id])
        return last_grant_[a.org_id] < last_grant_[b.org_id];
      return a.org_id < b.org_id;
    }
    if (a.run_priority != b.run_priority) return a.run_priority > b.run_priority;
    if (a.task_priority != b.task_priority) return a.task_priority > b.task_priority;
    if (a.since != b.since) return a.since < b.since;
    return a.place < b.place;
  }

  std::size_t slots_;
  std::list<Request> waiting_;
  std::list<Request> holders_;
  std::map<std::string, std::uint64_t> last_grant_;
  std::uint64_t grants_ = 0;
};

class Duel {
 public:
  explicit Duel(std::uint64_t seed)
      : random_(seed), slots_(random_.below(5)), real_(slots_), naive_(slots_) {}

  void run(int operations) {
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) act();
    while (!testing::Test::HasFailure() && real_.holders() + real_.waiting() > 0) {
      for (int run = 0; run < runs; ++run)
        for (model::TaskIndex task = 0; task < tasks; ++task) release({base::RunId(run), task});
    }
    EXPECT_EQ(naive_.holders() + naive_.waiting(), 0u);
  }

 private:
  static constexpr int runs = 12;
  static constexpr model::TaskIndex tasks = 4;

  Place any_place() {
    return {base::RunId(std::int64_t(random_.below(runs))),
            model::TaskIndex(random_.below(tasks))};
  }
  // Requests of one key may differ in all else.
  Request any_request() {
    Request request{.place = any_place()};
    request.org_id = std::string(1, char('a' + random_.below(3)));
    request.run_priority = int(random_.below(3)) - 1;
    request.task_priority = int(random_.below(3)) - 1;
    request.needs_slot = random_.below(3) > 0;
    if (random_.below(2)) {
      request.key = std::string(1, char('x' + random_.below(3)));
      request.limit = 1 + std::uint32_t(random_.below(3));
    }
    request.since = base::from_us(std::int64_t(random_.below(20)));
    return request;
  }

  void act() {
    std::uint64_t drawn = random_.below(20);
    if (drawn < 9) {
      Request request = any_request();
      real_.request(request);
      naive_.request(request);
    } else if (drawn < 10) {
      Request request = any_request();
      if (real_.waits(request.place)) return;
      real_.hold(request);
      naive_.hold(request);
    } else if (drawn < 15) {
      release(any_place());
    } else {
      std::optional<Place> place = real_.grant();
      ASSERT_EQ(place, naive_.grant());
    }
    compare();
  }

  void release(Place place) {
    real_.release(place);
    naive_.release(place);
  }

  void compare() {
    ASSERT_EQ(real_.slots_held(), naive_.slots_held());
    ASSERT_EQ(real_.holders(), naive_.holders());
    ASSERT_EQ(real_.waiting(), naive_.waiting());
    Place place = any_place();
    ASSERT_EQ(real_.holds(place), naive_.holds(place));
    ASSERT_EQ(real_.waits(place), naive_.waits(place));
  }

  base::SeededRandom random_;
  std::size_t slots_;
  Admission real_;
  NaiveAdmission naive_;
};

TEST(AdmissionModel, GrantsWhatTheNaiveModelGrants) {
  for (std::uint64_t seed = 0; seed < 200 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Duel(seed).run(500);
  }
}

}  // namespace
}  // namespace engine
