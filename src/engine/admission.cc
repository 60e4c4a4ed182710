#include "engine/admission.h"

namespace engine {

void Admission::request(Place place) {
  if (holders_.contains(place) || !waiting_.emplace(place, age_ + 1).second) return;
  queue_.emplace(++age_, place);
}

void Admission::release(Place place) {
  holders_.erase(place);
  auto found = waiting_.find(place);
  if (found == waiting_.end()) return;
  queue_.erase(found->second);
  waiting_.erase(found);
}

std::optional<Admission::Place> Admission::grant() {
  if (queue_.empty() || holders_.size() >= slots_) return std::nullopt;
  Place place = queue_.begin()->second;
  release(place);
  holders_.insert(place);
  return place;
}

}  // namespace engine
