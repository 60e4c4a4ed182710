#include "net/responder.h"

#include "net/response_head.h"

namespace net {

void Outbox::push(Answer answer) {
  base::MutexLock lock(mutex_);
  if (closed_) return;
  answers_.push_back(std::move(answer));
  // Under the lock: after close() the loop behind `wake_` may be gone.
  if (answers_.size() == 1) wake_();
}

void Outbox::take(std::vector<Answer>& into) {
  into.clear();
  base::MutexLock lock(mutex_);
  into.swap(answers_);
}

void Outbox::close() {
  std::vector<Answer> dropped;
  base::MutexLock lock(mutex_);
  closed_ = true;
  dropped.swap(answers_);
}

Responder::State::~State() {
  if (!answered_.exchange(true)) outbox_->push({connection_, sequence_, std::nullopt});
}

void Responder::State::send(Response response) {
  check_response(response);
  if (!answered_.exchange(true)) outbox_->push({connection_, sequence_, std::move(response)});
}

void Responder::send(Response response) const {
  state_->send(std::move(response));
}

bool Responder::client_gone() const {
  return state_->gone();
}

}  // namespace net
