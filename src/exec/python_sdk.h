// The Python SDK inside the program, so that flows and tasks have the one that fits it.
#pragma once

#include <string_view>

namespace exec {

/// A zip of the package `dagy` that Python can import from (zipimport); empty where the program was
/// built without it. The source is made by tools/embed_sdk.
std::string_view python_sdk_zip();

}  // namespace exec
