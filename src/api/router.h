// Finds the route of a request by its path's segments.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"

namespace api {

class Router {
 public:
  explicit Router(const std::vector<Category>& categories);

  struct Match {
    const Route* route = nullptr;   // null when no method of the path is the request's
    std::vector<std::string> path;  // decoded values of the path's parameters
    std::string allow;              // methods of the path, for 405
  };
  /// `not_found` for an unknown path, `malformed` for a segment that cannot be decoded. The prefix
  /// "/app" is dropped: everything is served under both.
  base::Result<Match> find(std::string_view method, std::string_view path) const;

 private:
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
    std::unique_ptr<Node> parameter;
    std::map<std::string_view, const Route*> methods;
  };
  void add(const Route& route);
  /// The node of the path below `node`, and the values of its parameters, as sent; a segment of a
  /// route goes before a parameter. Null when there is none.
  static const Node* descend(const Node& node, std::string_view path,
                             std::vector<std::string_view>& values);

  Node root_;
};

}  // namespace api
