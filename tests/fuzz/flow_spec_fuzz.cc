// Fuzzes FlowSpecs with the real node types: one that is taken is taken again in its canonical
// form, and becomes a plan.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "model/flow_spec.h"
#include "model/plan.h"
#include "nodes/catalog.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto document = base::JsonDocument::parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!document) return 0;
  base::FieldErrors errors;
  model::FlowSpec spec = model::read_flow_spec((*document)->root(), nodes::catalog(), {}, errors);
  if (!errors.empty()) {
    require(!std::move(errors).error().fields.empty());
    return 0;
  }
  std::string canonical = model::canonical_spec((*document)->root());
  auto plan = model::load_plan(canonical, spec.version.value_or("1"), nodes::catalog());
  require(static_cast<bool>(plan));
  auto again = base::JsonDocument::parse(canonical);
  require(again && model::canonical_spec((*again)->root()) == canonical);
  return 0;
}
