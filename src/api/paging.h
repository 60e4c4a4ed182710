// The two query fields of every list.
#pragma once

#include <optional>
#include <string>

#include "base/fields.h"
#include "base/limits.h"

namespace api {

template <auto Member>
base::Field limit_field() {
  return base::field<Member>("limit", "items a page at most")
      .range(1, base::limits::page_items_max)
      .defaults_to("100");
}

template <auto Member>
base::Field next_token_field() {
  return base::field<Member>("next_token", "of the page before").length(1, 1024);
}

struct PageQuery {
  int limit = int(base::limits::page_items_default);
  std::optional<std::string> next_token;
  static const base::Fields& fields();
};

}  // namespace api
