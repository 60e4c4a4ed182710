#include "api/routes.h"

namespace api {

const std::vector<Category>& categories() {
  static const std::vector<Category> all = {
      authentication_category(), user_category(),      flows_category(),     deployments_category(),
      runs_category(),           api_keys_category(),  health_category(),    account_category(),
      run_control_category(),    workflows_category(), artifacts_category(), description_category(),
  };
  return all;
}

}  // namespace api
