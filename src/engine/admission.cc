#include "engine/admission.h"

#include <algorithm>

#include "base/check.h"

namespace engine {

void Admission::request(Request request) {
  Place place = request.place;
  if (holders_.contains(place) || waiting_.contains(place)) return;
  Rank rank{request.run_priority, request.task_priority, request.since, place};
  if (request.key.empty()) {
    queue_of(request).insert(rank);
  } else {
    auto lane = keys_[request.key].lanes.try_emplace(lane_of(request), &queue_of(request));
    lane.first->second.waiting.insert(rank);
    refresh(request.key);
  }
  waiting_.emplace(place, Waiting{std::move(request), rank});
}

void Admission::hold(const Request& request) {
  CHECK(!waiting_.contains(request.place));
  if (!holders_.contains(request.place)) add_holder(request);
}

void Admission::release(Place place) {
  if (auto holder = holders_.find(place); holder != holders_.end()) return drop_holder(holder);
  if (auto waiting = waiting_.find(place); waiting != waiting_.end()) drop_waiting(waiting);
}

Admission::Queue& Admission::queue_of(const Request& request) {
  return request.needs_slot ? organizations_[request.org_id].queue : slotless_;
}

Admission::LaneName Admission::lane_of(const Request& request) {
  return {request.needs_slot, request.org_id, request.limit};
}

// Each lane of the key shows its first while the key has room for it; a key that nobody has or
// wants is forgotten.
void Admission::refresh(const std::string& name) {
  auto key = keys_.find(name);
  auto& [holders, lanes] = key->second;
  for (auto it = lanes.begin(); it != lanes.end();) {
    Lane& lane = it->second;
    bool has_room = holders.size() < std::get<std::uint32_t>(it->first);
    std::optional<Rank> first;
    if (has_room && !lane.waiting.empty()) first = *lane.waiting.begin();
    if (lane.shown != first) {
      if (lane.shown) lane.queue->erase(*lane.shown);
      if (first) lane.queue->insert(*first);
      lane.shown = first;
    }
    it = lane.waiting.empty() ? lanes.erase(it) : std::next(it);
  }
  if (holders.empty() && lanes.empty()) keys_.erase(key);
}

std::optional<Admission::Place> Admission::grant() {
  if (!slotless_.empty()) return start(slotless_);
  if (slots_held_ >= slots_) return std::nullopt;
  Organization* next = next_organization();
  if (next == nullptr) return std::nullopt;
  next->granted_at = ++grants_;
  return start(next->queue);
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

// The first of the queue holds its place from here on.
Admission::Place Admission::start(Queue& queue) {
  Place place = queue.begin()->place;
  auto waiting = waiting_.find(place);
  Request request = std::move(waiting->second.request);
  if (request.key.empty()) {
    queue.erase(queue.begin());
  } else {
    keys_.at(request.key).lanes.at(lane_of(request)).waiting.erase(waiting->second.rank);
  }
  waiting_.erase(waiting);
  add_holder(request);
  return place;
}

void Admission::add_holder(const Request& request) {
  holders_.emplace(request.place, Holder{request.org_id, request.needs_slot, request.key});
  if (request.needs_slot) {
    ++slots_held_;
    ++organizations_[request.org_id].slots_held;
  }
  if (request.key.empty()) return;
  keys_[request.key].holders.insert(request.place);
  refresh(request.key);
}

void Admission::drop_holder(std::map<Place, Holder>::iterator it) {
  auto [place, holder] = std::move(*it);
  holders_.erase(it);
  if (holder.needs_slot) {
    --slots_held_;
    --organizations_.at(holder.org_id).slots_held;
  }
  if (holder.key.empty()) return;
  keys_.at(holder.key).holders.erase(place);
  refresh(holder.key);
}

void Admission::drop_waiting(std::map<Place, Waiting>::iterator it) {
  Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  const Request& request = waiting.request;
  if (request.key.empty()) {
    queue_of(request).erase(waiting.rank);
    return;
  }
  keys_.at(request.key).lanes.at(lane_of(request)).waiting.erase(waiting.rank);
  refresh(request.key);
}

std::vector<Admission::Place> Admission::slot_holders() const {
  std::vector<Place> places;
  for (const auto& [place, holder] : holders_)
    if (holder.needs_slot) places.push_back(place);
  return places;
}

std::vector<Admission::Place> Admission::key_holders(const std::string& name) const {
  auto key = keys_.find(name);
  if (key == keys_.end()) return {};
  return {key->second.holders.begin(), key->second.holders.end()};
}

std::vector<Admission::Place> Admission::key_places(const std::string& name) const {
  std::vector<Place> places = key_holders(name);
  if (auto key = keys_.find(name); key != keys_.end())
    for (const auto& [lane_name, lane] : key->second.lanes)
      for (const Rank& rank : lane.waiting) places.push_back(rank.place);
  std::sort(places.begin(), places.end());
  return places;
}

const Admission::Request* Admission::waiting_request(Place place) const {
  auto found = waiting_.find(place);
  return found == waiting_.end() ? nullptr : &found->second.request;
}

}  // namespace engine
