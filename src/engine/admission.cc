#include "engine/admission.h"

namespace engine {

void Admission::request(Place place) {
  if (!holders_.contains(place) && waiting_.insert(place).second) queue_.push_back(place);
}

void Admission::release(Place place) {
  waiting_.erase(place);
  holders_.erase(place);
}

std::optional<Admission::Place> Admission::grant() {
  while (!queue_.empty() && holders_.size() < slots_) {
    Place place = queue_.front();
    queue_.pop_front();
    if (waiting_.erase(place) == 0) continue;
    holders_.insert(place);
    return place;
  }
  return std::nullopt;
}

}  // namespace engine
