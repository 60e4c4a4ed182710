// Counts the bytes of bodies in memory over all connections of a server or calls of a client, from
// their arrival until they have been dealt with, so that many large ones together are refused in
// time.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace net {

/// Shared by all threads.
using BodyTotal = std::atomic<std::size_t>;

/// The share of one request; given back when destroyed.
class BodyCharge {
 public:
  BodyCharge() = default;
  BodyCharge(BodyCharge&& other) noexcept { swap(other); }
  BodyCharge& operator=(BodyCharge&& other) noexcept {
    BodyCharge(std::move(other)).swap(*this);
    return *this;
  }
  ~BodyCharge() {
    if (bytes_ > 0) *total_ -= bytes_;
  }

  /// Makes the share `bytes`, which never shrinks; returns what all shares come to.
  std::size_t grow(BodyTotal& total, std::size_t bytes) {
    total_ = &total;
    std::size_t added = bytes - std::exchange(bytes_, bytes);
    return total.fetch_add(added) + added;
  }

 private:
  void swap(BodyCharge& other) noexcept {
    std::swap(total_, other.total_);
    std::swap(bytes_, other.bytes_);
  }

  BodyTotal* total_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace net
