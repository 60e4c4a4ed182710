// User: who the caller is.
#include "api/routes.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct Me {
  std::string user_email;
  std::string org_id;
  model::Role role;
  static const Fields& fields() {
    using S = Me;
    static const Fields fields("Me", {field<&S::user_email>("user_email", "").required(),
                                      field<&S::org_id>("org_id", "").required(),
                                      field<&S::role>("role", "in the organization").required()});
    return fields;
  }
};

struct UserProfile {
  std::string user_email;
  bool super_admin = false;
  std::string org_id;
  std::string org_name;
  model::Role role;
  static const Fields& fields() {
    using S = UserProfile;
    static const Fields fields(
        "UserProfile",
        {field<&S::user_email>("user_email", "").required(),
         field<&S::super_admin>("super_admin", "may administer every organization").required(),
         field<&S::org_id>("org_id", "").required(), field<&S::org_name>("org_name", "").required(),
         field<&S::role>("role", "in the organization").required()});
    return fields;
  }
};

base::Result<Reply> me(const Call& call) {
  const auth::Identity& identity = *call.identity;
  return json_reply(200, Me{identity.email, identity.org_id, identity.role});
}

base::Result<Reply> users_me(const Call& call) {
  const auth::Identity& identity = *call.identity;
  return json_reply(200, UserProfile{identity.email, identity.super_admin, identity.org_id,
                                     identity.org_name, identity.role});
}

}  // namespace

Category user_category() {
  return {"User",
          "The caller's identity",
          {{.method = Method::get,
            .path = "/me",
            .access = Access::signed_in(),
            .name = "getMe",
            .summary = "E-mail, organization and role of the caller",
            .handler = me,
            .answers = {{200, "The caller", Me::fields}}},
           {.method = Method::get,
            .path = "/users/me",
            .access = Access::signed_in(),
            .name = "getUserProfile",
            .summary = "Profile of the caller",
            .handler = users_me,
            .answers = {{200, "The caller", UserProfile::fields}}}}};
}

}  // namespace api
