// The OpenAPI 3.1 document and the reference page, both made from the route table.
#pragma once

#include <string>

namespace api {

/// Pretty-printed JSON, the same for the same program.
std::string openapi_document();
/// One HTML page that needs nothing else.
std::string reference_page();

}  // namespace api
