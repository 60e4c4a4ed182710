// delay: waits for a time, from seconds to months, durably and without a thread.
#include <fmt/format.h>

#include "nodes/node.h"

namespace nodes {

namespace {

constexpr double seconds_max = double(base::limits::duration_seconds_max);

struct DelayConfig {
  std::optional<double> seconds;
  std::optional<base::Timestamp> until;
  static const base::Fields& fields();
};

void check_config(const void* object, const base::Path& path, base::FieldErrors& errors) {
  const auto& config = *static_cast<const DelayConfig*>(object);
  if (config.seconds && !(*config.seconds >= 0 && *config.seconds <= seconds_max))
    errors.add(path.member("seconds"), "must be from 0 to 366 days (31622400)");
  if (config.seconds.has_value() == config.until.has_value())
    errors.add(path, "must have either seconds or until");
}

const base::Fields& DelayConfig::fields() {
  using S = DelayConfig;
  static const base::Fields fields(
      "DelayConfig",
      {base::field<&S::seconds>("seconds", "to wait, from when the task begins"),
       base::field<&S::until>("until", "ISO 8601; a time that is over ends the wait at once")},
      check_config);
  return fields;
}

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  DelayConfig parsed;
  DelayConfig::fields().read(config, &parsed, path, errors);
}

base::Result<Wait> wait(std::string text, base::Timestamp now) {
  auto document = TRY(base::JsonDocument::parse(std::move(text)));
  auto config = TRY(base::read_struct<DelayConfig>(document->root()));
  if (config.until) return Wait{.until = config.until};
  auto time = std::chrono::duration<double>(*config.seconds);
  return Wait{.until = now + std::chrono::duration_cast<base::Duration>(time)};
}

}  // namespace

extern const NodeType delay;
const NodeType delay{
    .info = {"delay", "Waits for a number of seconds, or until a time",
             /*needs_slot=*/false, DelayConfig::fields, check, model::NodeKind::delay},
    .wait = wait};

}  // namespace nodes
