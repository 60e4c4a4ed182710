#include "api/signed_query.h"

#include "auth/signed_urls.h"

namespace api {

const base::Fields& SignedQuery::fields() {
  using S = SignedQuery;
  static const base::Fields fields(
      "SignedQuery", {base::field<&S::expires>("expires", "as the URL has it"),
                      base::field<&S::signature>("signature", "likewise").length(1, 255)});
  return fields;
}

base::Result<> check_signature(const Call& call, std::string_view path) {
  auto query = TRY(call.read_query<SignedQuery>());
  return call.services.signed_urls.check(method_name(call.route.method), path,
                                         query.expires.value_or(0), query.signature.value_or(""),
                                         call.services.clock.now());
}

}  // namespace api
