#include "api/paging.h"

namespace api {

const base::Fields& PageQuery::fields() {
  static const base::Fields fields(
      "PageQuery", {limit_field<&PageQuery::limit>(), next_token_field<&PageQuery::next_token>()});
  return fields;
}

}  // namespace api
