// ZIP files from outside.
#pragma once

#include <string>

#include "base/result.h"

namespace store {

class File;

/// Unpacks a ZIP file into a directory that is empty. Everything in it can be read by all and
/// changed by its owner. Error `invalid` for what is no ZIP file, and for one with an entry that is
/// absolute, leads outside, is a link or a device, is encrypted, stands twice or in the place of a
/// directory; with too many entries, or too many bytes, which are counted as they come.
base::Result<> unpack_zip(const File& zip, const std::string& directory);

}  // namespace store
