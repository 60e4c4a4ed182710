// The query of a URL whose signature is its credential (auth/signed_urls.h).
#pragma once

#include <optional>
#include <string>

#include "api/route.h"

namespace api {

struct SignedQuery {
  std::optional<std::int64_t> expires;
  std::optional<std::string> signature;
  static const base::Fields& fields();
};

/// Of the method of this call and `path`, which is what was signed. Error `forbidden`.
base::Result<> check_signature(const Call& call, std::string_view path);

}  // namespace api
