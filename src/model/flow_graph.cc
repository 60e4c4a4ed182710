#include "model/flow_graph.h"

#include <algorithm>

namespace model {

// Kahn's algorithm.
FlowGraph::FlowGraph(std::vector<std::vector<std::size_t>> parents)
    : parents_(std::move(parents)), left_(parents_.size()), words_((parents_.size() + 63) / 64) {
  std::vector<std::vector<std::size_t>> children(parents_.size());
  for (std::size_t i = 0; i < parents_.size(); ++i) {
    left_[i] = parents_[i].size();
    for (std::size_t parent : parents_[i]) children[parent].push_back(i);
    if (left_[i] == 0) order_.push_back(i);
  }
  for (std::size_t at = 0; at < order_.size(); ++at)
    for (std::size_t child : children[order_[at]])
      if (--left_[child] == 0) order_.push_back(child);
}

// Whatever is left has a parent that is left, so a walk towards parents comes around.
std::vector<std::size_t> FlowGraph::cycle() const {
  std::size_t at = 0;
  while (left_[at] == 0) ++at;
  std::vector<std::size_t> walk;
  std::vector<bool> seen(parents_.size());
  while (!seen[at]) {
    seen[at] = true;
    walk.push_back(at);
    at = *std::find_if(parents_[at].begin(), parents_[at].end(),
                       [&](std::size_t parent) { return left_[parent] > 0; });
  }
  walk.erase(walk.begin(), std::find(walk.begin(), walk.end(), at));
  std::reverse(walk.begin() + 1, walk.end());
  return walk;
}

bool FlowGraph::precedes(std::size_t earlier, std::size_t task) {
  const auto& direct = parents_[task];
  if (std::find(direct.begin(), direct.end(), earlier) != direct.end()) return true;
  if (ancestors_.empty()) build_ancestors();
  return ancestors_[task * words_ + earlier / 64] >> (earlier % 64) & 1;
}

void FlowGraph::build_ancestors() {
  ancestors_.resize(parents_.size() * words_);
  for (std::size_t task : order_)
    for (std::size_t parent : parents_[task]) {
      std::uint64_t* row = &ancestors_[task * words_];
      const std::uint64_t* of_parent = &ancestors_[parent * words_];
      for (std::size_t i = 0; i < words_; ++i) row[i] |= of_parent[i];
      row[parent / 64] |= std::uint64_t{1} << (parent % 64);
    }
}

}  // namespace model
