#include "runtime/events.h"

#include <utility>

namespace runtime {

namespace {

template <class Reply>
bool answer(Reply& reply, const base::Error& error) {
  if (reply) std::exchange(reply, nullptr)(error);
  return true;
}

}  // namespace

bool is_command(const Message& message) {
  return std::holds_alternative<CreateRun>(message) ||
         std::holds_alternative<ControlRun>(message) ||
         std::holds_alternative<ExplainRun>(message) || std::holds_alternative<WatchRun>(message);
}

bool refuse(Message& message, const base::Error& error) {
  if (auto* create = std::get_if<CreateRun>(&message)) return answer(create->reply, error);
  if (auto* control = std::get_if<ControlRun>(&message)) return answer(control->reply, error);
  if (auto* explain = std::get_if<ExplainRun>(&message)) return answer(explain->reply, error);
  return false;
}

}  // namespace runtime
