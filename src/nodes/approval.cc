// approval: waits until a person decides. Approved it succeeds with who decided, the comment and
// the form's values; rejected it fails with kind `rejected`.
#include <fmt/format.h>

#include <array>

#include "model/flow_spec.h"
#include "nodes/node.h"

namespace nodes {

namespace {

constexpr double seconds_max = double(base::limits::duration_seconds_max);

enum class OnTimeout { approve, reject, fail };

std::span<const base::EnumName> enum_names(OnTimeout) {
  using T = OnTimeout;
  static constexpr auto names = std::to_array<base::EnumName>(
      {{int(T::approve), "approve"}, {int(T::reject), "reject"}, {int(T::fail), "fail"}});
  return names;
}

struct ApprovalConfig {
  std::vector<std::string> assignees;
  std::string message;
  std::vector<model::ParameterSpec> form;
  std::optional<double> timeout_seconds;
  OnTimeout on_timeout = OnTimeout::fail;
  static const base::Fields& fields();
};

void check_config(const void* object, const base::Path& path, base::FieldErrors& errors) {
  const auto& config = *static_cast<const ApprovalConfig*>(object);
  if (config.timeout_seconds &&
      !(*config.timeout_seconds > 0 && *config.timeout_seconds <= seconds_max))
    errors.add(path.member("timeout_seconds"), "must be above 0 and at most 366 days (31622400)");
}

const base::Fields& ApprovalConfig::fields() {
  using S = ApprovalConfig;
  using base::field;
  static const base::Fields fields(
      "ApprovalConfig",
      {field<&S::assignees>("assignees",
                            "addresses of those who may decide, beside owners and admins; "
                            "whoever may decide at all if empty")
           .length(0, 100),
       field<&S::message>("message", "what is to be decided")
           .length(0, base::limits::text_bytes_max),
       field<&S::form>("form", "the values asked for, described as a flow's parameters")
           .length(0, 100),
       field<&S::timeout_seconds>("timeout_seconds", "how long it waits; for ever if absent"),
       field<&S::on_timeout>("on_timeout", "what the end of that time means")
           .defaults_to("\"fail\"")},
      check_config);
  return fields;
}

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  ApprovalConfig parsed;
  ApprovalConfig::fields().read(config, &parsed, path, errors);
}

model::WaitEnd wait_end(OnTimeout on_timeout) {
  if (on_timeout == OnTimeout::approve) return model::WaitEnd::succeed;
  return on_timeout == OnTimeout::reject ? model::WaitEnd::reject : model::WaitEnd::fail;
}

std::string form_text(const std::vector<model::ParameterSpec>& form) {
  std::string text;
  base::JsonWriter out(text);
  base::field_type<std::vector<model::ParameterSpec>>().write(out, &form);
  return text;
}

base::Result<Wait> wait(std::string text, base::Timestamp now) {
  auto document = TRY(base::JsonDocument::parse(std::move(text)));
  auto config = TRY(base::read_struct<ApprovalConfig>(document->root()));
  Wait wait{.then = wait_end(config.on_timeout),
            .message = std::move(config.message),
            .assignees = std::move(config.assignees),
            .form = form_text(config.form)};
  if (config.timeout_seconds)
    wait.until = now + std::chrono::duration_cast<base::Duration>(
                           std::chrono::duration<double>(*config.timeout_seconds));
  return wait;
}

}  // namespace

extern const NodeType approval;
const NodeType approval{.info = {"approval", "Waits until a person decides", /*needs_slot=*/false,
                                 ApprovalConfig::fields, check, model::NodeKind::approval},
                        .wait = wait};

}  // namespace nodes
