// The graph of a flow's tasks, by their places in the spec.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace model {

class FlowGraph {
 public:
  /// `parents` of each task.
  explicit FlowGraph(std::vector<std::vector<std::size_t>> parents);

  const std::vector<std::size_t>& parents(std::size_t task) const { return parents_[task]; }
  bool has_cycle() const { return order_.size() < parents_.size(); }
  /// Tasks of one cycle, in the direction of the edges. Only when there is one.
  std::vector<std::size_t> cycle() const;
  /// `earlier` precedes `task`, directly or not. Only when there is no cycle.
  bool precedes(std::size_t earlier, std::size_t task);

 private:
  void build_ancestors();

  std::vector<std::vector<std::size_t>> parents_;
  std::vector<std::size_t> order_;  // topological; short when there is a cycle
  std::vector<std::size_t> left_;   // of each task, the parents that are not in `order_`
  // A bit row a task, built at the first question that needs it.
  std::size_t words_;
  std::vector<std::uint64_t> ancestors_;
};

}  // namespace model
