// Authentication and account: login, logout, change of the password.
#include "api/routes.h"
#include "base/limits.h"

namespace api {

using base::field;
using base::Fields;

namespace {

struct LoginRequest {
  std::string email;
  std::string password;
  std::optional<std::string> org_id;
  static const Fields& fields() {
    using S = LoginRequest;
    static const Fields fields(
        "LoginRequest",
        {field<&S::email>("email", "of the account").required().rule(auth::email_rule),
         field<&S::password>("password", "").required().length(1, base::limits::password_bytes_max),
         field<&S::org_id>("org_id", "of several organizations; the oldest membership if absent")
             .length(1, 64)});
    return fields;
  }
};

struct LoginResponse {
  std::string access_token;
  std::string token_type = "Bearer";
  base::Timestamp expires_at;
  static const Fields& fields() {
    using S = LoginResponse;
    static const Fields fields(
        "LoginResponse",
        {field<&S::access_token>("access_token", "dagy_at_…; shown only here").required(),
         field<&S::token_type>("token_type", "always Bearer").required(),
         field<&S::expires_at>("expires_at", "when the token ends").required()});
    return fields;
  }
};

struct PasswordRequest {
  std::string current_password;
  std::string new_password;
  static const Fields& fields() {
    using S = PasswordRequest;
    static const Fields fields(
        "PasswordRequest",
        {field<&S::current_password>("current_password", "a one-time password, too")
             .required()
             .length(1, base::limits::password_bytes_max),
         field<&S::new_password>("new_password", "the one from now on")
             .required()
             .length(base::limits::password_bytes_min, base::limits::password_bytes_max)});
    return fields;
  }
};

base::Result<Reply> login(const Call& call) {
  auto form = TRY(call.read_body<LoginRequest>());
  auth::LoginForm credentials{std::move(form.email), std::move(form.password),
                              std::move(form.org_id), call.request.client_ip};
  auth::AccessToken token = TRY(
      call.services.authenticator.login(credentials, call.audit("auth.login", "user", "", 200)));
  return json_reply(200, LoginResponse{token.token, "Bearer", token.expires_at});
}

base::Result<Reply> logout(const Call& call) {
  std::string token(call.request.header("authorization").substr(7));
  TRY(call.services.authenticator.logout(
      token, call.audit("auth.logout", "user", call.identity->user_id, 204)));
  return empty_reply();
}

base::Result<Reply> change_password(const Call& call) {
  auto form = TRY(call.read_body<PasswordRequest>());
  TRY(call.services.authenticator.change_password(
      *call.identity, call.request.client_ip, form.current_password, form.new_password,
      call.audit("auth.password", "user", call.identity->user_id, 204)));
  return empty_reply();
}

}  // namespace

Category authentication_category() {
  return {"Authentication",
          "Login and logout",
          {{.method = Method::post,
            .path = "/auth/login",
            .access = Access::anyone(),
            .name = "login",
            .summary = "Get an access token for an e-mail and a password",
            .handler = login,
            .body = LoginRequest::fields,
            .answers = {{200, "The token", LoginResponse::fields},
                        {401, "Wrong e-mail, password or organization"}}},
           {.method = Method::post,
            .path = "/auth/logout",
            .access = Access::person(),
            .name = "logout",
            .summary = "End the access token of this request",
            .handler = logout,
            .answers = {{204, "Ended"}}}}};
}

Category account_category() {
  return {"Account",
          "The account of the caller",
          {{.method = Method::post,
            .path = "/auth/password",
            .access = Access::person(),
            .name = "changePassword",
            .summary = "Change the password; ends the one-time password and all access tokens",
            .handler = change_password,
            .body = PasswordRequest::fields,
            .answers = {{204, "Changed; log in again"}}}}};
}

}  // namespace api
