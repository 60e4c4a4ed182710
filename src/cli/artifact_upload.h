// Sends the code of a flow to the server, in parts.
#pragma once

#include <string>

#include "cli/api_client.h"

namespace cli {

/// The artifact_uri of the file.
base::Result<std::string> upload_artifact(ApiClient& client, const std::string& path);

}  // namespace cli
