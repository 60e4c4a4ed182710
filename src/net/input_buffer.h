// Bytes received and not yet read: filled at the end, consumed at the front, bounded by its user.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace net {

class InputBuffer {
 public:
  std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t n) { begin_ += n; }
  void clear() { begin_ = end_ = 0; }

  /// Room for more, so that at most `size_max` bytes wait in all. Must not be called while a read
  /// into an earlier span is under way. Capacity doubles only when it was filled, so a quiet
  /// connection stays small.
  std::span<char> prepare(std::size_t size_max) {
    compact();
    bool full = end_ == bytes_.size();
    if (full) bytes_.resize(std::min(size_max, std::max(bytes_first, bytes_.size() * 2)));
    return {bytes_.data() + end_, std::min(bytes_.size(), size_max) - end_};
  }
  void commit(std::size_t n) { end_ += n; }

 private:
  static constexpr std::size_t bytes_first = 4096;
  static constexpr std::size_t bytes_kept = 16384;  // by a connection without input

  void compact() {
    if (begin_ > 0 && size() > 0) std::memmove(bytes_.data(), bytes_.data() + begin_, size());
    end_ = size();
    begin_ = 0;
    if (end_ == 0 && bytes_.size() > bytes_kept) std::vector<char>(bytes_first).swap(bytes_);
  }

  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace net
