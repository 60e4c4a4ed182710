// next_token: an opaque cursor, bound to the organization, the route and its filters.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/route.h"

namespace api {

/// `position` in a form that only the same caller's organization and filters can use again.
std::string make_cursor(const Call& call, const std::string& position);
/// Position of the query's next_token, if there is one; `malformed` when it is not ours.
base::Result<std::optional<std::string>> read_cursor(const Call& call,
                                                     const std::optional<std::string>& token);

/// Cuts `rows`, read with one more than `limit`, to a page; its next_token, if there are more.
/// `position` gives that of a row.
template <class Row, class Position>
std::optional<std::string> cut_page(const Call& call, std::vector<Row>& rows, std::size_t limit,
                                    Position position) {
  if (rows.size() <= limit) return std::nullopt;
  rows.resize(limit);
  return make_cursor(call, position(rows.back()));
}

/// A position that is a number from 0 on; `malformed` when it is none.
base::Result<std::int64_t> number_in_cursor(std::string_view position);

}  // namespace api
