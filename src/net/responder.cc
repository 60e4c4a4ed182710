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
  if (!answered_.exchange(true)) outbox_->push({connection_, sequence_, Dropped{}});
}

void Responder::State::send(Response response) {
  check_response(response);
  if (!answered_.exchange(true)) outbox_->push({connection_, sequence_, std::move(response)});
}

std::shared_ptr<Stream::State> Responder::State::stream(Response head, std::string heartbeat) {
  check_response(head);
  bool is_answered = answered_.exchange(true);
  auto stream =
      std::make_shared<Stream::State>(outbox_, connection_, sequence_, gone_, is_answered);
  if (!is_answered)
    outbox_->push({connection_, sequence_, StreamHead{std::move(head), std::move(heartbeat)}});
  return stream;
}

void Stream::State::send(std::string text) {
  if (!ended_ && !text.empty())
    outbox_->push({connection_, sequence_, StreamPiece{std::move(text)}});
}

void Stream::State::end() {
  if (!ended_.exchange(true)) outbox_->push({connection_, sequence_, StreamEnd{}});
}

void Stream::send(std::string text) const {
  state_->send(std::move(text));
}

void Stream::end() const {
  state_->end();
}

bool Stream::client_gone() const {
  return state_->gone();
}

Stream Responder::stream(Response head, std::string heartbeat) const {
  return Stream(state_->stream(std::move(head), std::move(heartbeat)));
}

void Responder::send(Response response) const {
  state_->send(std::move(response));
}

bool Responder::client_gone() const {
  return state_->gone();
}

}  // namespace net
