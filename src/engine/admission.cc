#include "engine/admission.h"

#include <algorithm>

#include "base/check.h"

namespace engine {

void Admission::request(Request request) {
  Place place = request.place;
  if (holders_.contains(place) || waiting_.contains(place)) return;
  Rank rank{request.run_priority, request.task_priority, ++ages_};
  enqueue(waiting_.emplace(place, Waiting{std::move(request), rank}).first->second);
}

void Admission::hold(const Request& request) {
  CHECK(!waiting_.contains(request.place));
  if (!holders_.contains(request.place)) add_holder(request, ++ages_);
}

void Admission::release(Place place) {
  if (auto holder = holders_.find(place); holder != holders_.end()) return drop_holder(holder);
  if (auto waiting = waiting_.find(place); waiting != waiting_.end()) drop_waiting(waiting);
}

// A request stands in a queue while its key has room, else it is parked with its key. One whose key
// has been filled by others meanwhile is parked when its turn comes.
void Admission::enqueue(Waiting& waiting) {
  const Request& request = waiting.request;
  waiting.is_parked = !is_free(request);
  Queue& queue = waiting.is_parked ? keys_[request.key].parked : queue_of(request);
  queue.emplace(waiting.rank, request.place);
  if (request.key.empty()) return;
  Key& key = keys_[request.key];
  key.limit_max = std::max(key.limit_max, request.limit);
  if (!waiting.is_parked) ++key.queued;
}

Admission::Queue& Admission::queue_of(const Request& request) {
  return request.needs_slot ? organizations_[request.org_id].queue : slotless_;
}

bool Admission::is_free(const Request& request) const {
  if (request.key.empty()) return true;
  auto key = keys_.find(request.key);
  return key == keys_.end() || key->second.holders.size() < request.limit;
}

// One place of the key may have become free, so one more request may stand in a queue. Requests of
// one key may have different limits.
void Admission::unpark(const std::string& name) {
  auto found = keys_.find(name);
  if (found == keys_.end()) return;
  Key& key = found->second;
  const std::size_t taken = key.holders.size() + key.queued;
  if (taken >= key.limit_max) return;
  for (auto parked = key.parked.begin(); parked != key.parked.end(); ++parked) {
    Waiting& waiting = waiting_.at(parked->second);
    if (taken >= waiting.request.limit) continue;
    key.parked.erase(parked);
    return enqueue(waiting);
  }
}

std::optional<Admission::Place> Admission::grant() {
  if (std::optional<Place> place = take_first(slotless_)) return place;
  while (slots_held_ < slots_) {
    Organization* next = next_organization();
    if (next == nullptr) return std::nullopt;
    if (std::optional<Place> place = take_first(next->queue)) {
      next->granted_at = ++grants_;
      return place;
    }
  }
  return std::nullopt;
}

// Fair share: whoever has something to start and holds least; of equals, whose last grant is
// longest ago.
Admission::Organization* Admission::next_organization() {
  Organization* next = nullptr;
  for (auto& [id, org] : organizations_) {
    if (org.queue.empty()) continue;
    bool before = next == nullptr || org.slots_held < next->slots_held ||
                  (org.slots_held == next->slots_held && org.granted_at < next->granted_at);
    if (before) next = &org;
  }
  return next;
}

std::optional<Admission::Place> Admission::take_first(Queue& queue) {
  while (!queue.empty()) {
    Place place = queue.begin()->second;
    Waiting& waiting = waiting_.at(place);
    if (is_free(waiting.request)) {
      start(place);
      return place;
    }
    --keys_.at(waiting.request.key).queued;
    queue.erase(queue.begin());
    enqueue(waiting);
  }
  return std::nullopt;
}

void Admission::start(const Place& place) {
  auto waiting = waiting_.find(place);
  Waiting taken = std::move(waiting->second);
  queue_of(taken.request).erase(taken.rank);
  if (!taken.request.key.empty()) --keys_.at(taken.request.key).queued;
  waiting_.erase(waiting);
  add_holder(taken.request, taken.rank.age);
}

void Admission::add_holder(const Request& request, std::uint64_t age) {
  holders_.emplace(request.place, Holder{request.org_id, request.needs_slot, request.key, age});
  if (request.needs_slot) {
    ++slots_held_;
    ++organizations_[request.org_id].slots_held;
  }
  if (!request.key.empty()) keys_[request.key].holders.emplace(age, request.place);
}

void Admission::drop_holder(std::map<Place, Holder>::iterator it) {
  Holder holder = std::move(it->second);
  holders_.erase(it);
  if (holder.needs_slot) {
    --slots_held_;
    --organizations_.at(holder.org_id).slots_held;
  }
  if (holder.key.empty()) return;
  keys_.at(holder.key).holders.erase(holder.age);
  unpark(holder.key);
  forget_if_idle(holder.key);
}

void Admission::drop_waiting(std::map<Place, Waiting>::iterator it) {
  Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  const std::string& key = waiting.request.key;
  if (waiting.is_parked) {
    keys_.at(key).parked.erase(waiting.rank);
  } else {
    queue_of(waiting.request).erase(waiting.rank);
    if (!key.empty()) --keys_.at(key).queued;
  }
  if (key.empty()) return;
  unpark(key);
  forget_if_idle(key);
}

void Admission::forget_if_idle(const std::string& name) {
  auto key = keys_.find(name);
  if (key != keys_.end() && key->second.holders.empty() && key->second.parked.empty() &&
      key->second.queued == 0)
    keys_.erase(key);
}

std::vector<Admission::Place> Admission::slot_holders() const {
  std::vector<Place> places;
  for (const auto& [place, holder] : holders_)
    if (holder.needs_slot) places.push_back(place);
  return places;
}

std::vector<Admission::Place> Admission::key_holders(const std::string& name) const {
  std::vector<Place> places;
  auto key = keys_.find(name);
  if (key == keys_.end()) return places;
  for (const auto& [age, place] : key->second.holders) places.push_back(place);
  return places;
}

std::vector<Admission::Place> Admission::key_places(const std::string& name) const {
  std::vector<Place> places = key_holders(name);
  std::map<std::uint64_t, Place> younger;
  for (const auto& [place, waiting] : waiting_)
    if (waiting.request.key == name) younger.emplace(waiting.rank.age, place);
  for (const auto& [age, place] : younger) places.push_back(place);
  return places;
}

const Admission::Request* Admission::waiting_request(Place place) const {
  auto found = waiting_.find(place);
  return found == waiting_.end() ? nullptr : &found->second.request;
}

}  // namespace engine
