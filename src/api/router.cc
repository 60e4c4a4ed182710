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

base::Result<Router::Match> Router::find(std::string_view method, std::string_view path) const {
  if (path.starts_with("/app/")) path.remove_prefix(4);
  Match match;
  const Node* node = &root_;
  for (std::string_view rest = path; !rest.empty() && rest.front() == '/';) {
    std::string_view segment = next_segment(rest);
    auto child = node->children.find(segment);
    if (child != node->children.end()) {
      node = child->second.get();
    } else if (node->parameter && !segment.empty()) {
      node = node->parameter.get();
      match.path.push_back(TRY(net::decode_segment(segment)));
    } else {
      return base::not_found("no such path");
    }
  }
  if (node->methods.empty()) return base::not_found("no such path");
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
