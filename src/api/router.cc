#include "api/router.h"

#include "base/check.h"
#include "net/url.h"

namespace api {

namespace {

// Takes the next segment off "/a/b".
std::string_view next_segment(std::string_view& path) {
  path.remove_prefix(1);
  std::size_t end = std::min(path.find('/'), path.size());
  std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

}  // namespace

Router::Router(const std::vector<Category>& categories) {
  for (const Category& category : categories)
    for (const Route& route : category.routes) add(route);
}

void Router::add(const Route& route) {
  Node* node = &root_;
  for (std::string_view rest = route.path; !rest.empty();) {
    std::string_view segment = next_segment(rest);
    auto& child = segment.starts_with('{') ? node->parameter : node->children[std::string(segment)];
    if (!child) child = std::make_unique<Node>();
    node = child.get();
  }
  bool added = node->methods.emplace(method_name(route.method), &route).second;
  CHECK(added);
}

const Router::Node* Router::descend(const Node& node, std::string_view rest,
                                    std::vector<std::string_view>& values) {
  if (rest.empty() || rest.front() != '/') return node.methods.empty() ? nullptr : &node;
  std::string_view segment = next_segment(rest);
  if (auto child = node.children.find(segment); child != node.children.end())
    if (const Node* found = descend(*child->second, rest, values)) return found;
  if (!node.parameter || segment.empty()) return nullptr;
  values.push_back(segment);
  if (const Node* found = descend(*node.parameter, rest, values)) return found;
  values.pop_back();
  return nullptr;
}

base::Result<Router::Match> Router::find(std::string_view method, std::string_view path) const {
  if (path.starts_with("/app/")) path.remove_prefix(4);
  Match match;
  std::vector<std::string_view> values;
  const Node* node = descend(root_, path, values);
  if (node == nullptr) return base::not_found("no such path");
  for (std::string_view value : values) match.path.push_back(TRY(net::decode_segment(value)));
  auto route = node->methods.find(method == "HEAD" ? "GET" : method);
  if (route != node->methods.end()) {
    match.route = route->second;
    return match;
  }
  for (const auto& [name, unused] : node->methods)
    match.allow += (match.allow.empty() ? "" : ", ") + std::string(name);
  return match;
}

}  // namespace api
