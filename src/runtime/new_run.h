// What every way to start a run has in common: parameters are resolved and the flow's concurrency
// key is evaluated, before the shard hears of it.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "model/plan.h"
#include "store/engine_rows.h"
#include "store/objects.h"

namespace runtime {

/// Fills in `row`: flow, version, parameters and concurrency key. `given` is the parameters'
/// object. Error `invalid` with paths under /parameters, or for an expression that fails.
base::Result<> prepare_run(store::LiveRunRow& row, const model::Plan& plan, base::JsonView given,
                           store::Objects& objects);

/// The object `below` with the members of `above` over its own. Error `invalid` unless `above` is
/// an object.
base::Result<std::string> overlay_parameters(const std::string& below, const std::string& above);

/// Text in line, or by reference when it is large. Error `too_large` beyond value_bytes_max.
base::Result<model::Value> keep_value(std::string json, store::Objects& objects);
/// The text of a value.
base::Result<std::string> text_of(const model::Value& value, const store::Objects& objects);

}  // namespace runtime
