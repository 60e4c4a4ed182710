// The categories, one function and one file each; their list is routes.cc.
#pragma once

#include "api/route.h"

namespace api {

Category authentication_category();
Category user_category();
Category flows_category();
Category deployments_category();
Category runs_category();
Category api_keys_category();
Category health_category();
Category account_category();
Category run_control_category();
Category workflows_category();
Category connections_category();
Category artifacts_category();
Category description_category();

}  // namespace api
