#include "net/chunk_decoder.h"

#include <algorithm>

namespace net {

namespace {

constexpr std::size_t line_bytes_max = 4096;
constexpr int digits_max = 15;  // of a size; more could overflow 64 bits

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_text(char c) {
  return (static_cast<unsigned char>(c) >= ' ' && c != 0x7f) || c == '\t';
}

}  // namespace

ChunkDecoder::State ChunkDecoder::put(std::string_view& bytes, std::string& body) {
  State state = at_ == At::done ? State::done : State::need_more;
  while (state == State::need_more && !bytes.empty()) {
    if (at_ == At::data) {
      state = put_data(bytes, body);
      continue;
    }
    state = put_line_byte(bytes.front(), body.size());
    bytes.remove_prefix(1);
  }
  return state;
}

ChunkDecoder::State ChunkDecoder::put_data(std::string_view& bytes, std::string& body) {
  std::size_t n = std::min<std::uint64_t>(left_, bytes.size());
  body.append(bytes.substr(0, n));
  bytes.remove_prefix(n);
  left_ -= n;
  if (left_ == 0) at_ = At::data_cr;
  return State::need_more;
}

ChunkDecoder::State ChunkDecoder::put_line_byte(char c, std::size_t body_bytes) {
  if (++line_bytes_ > line_bytes_max) return State::bad;
  switch (at_) {
    case At::size:
      return put_size(c);
    case At::extension:
      if (c == '\r') at_ = At::size_lf;
      return c == '\r' || is_text(c) ? State::need_more : State::bad;
    case At::size_lf:
      return c == '\n' ? end_of_size(body_bytes) : State::bad;
    case At::data_cr:
      return expect(c, '\r', At::data_lf);
    case At::data_lf:
      line_bytes_ = 0;
      return expect(c, '\n', At::size);
    case At::line:
    case At::trailer:
      return put_trailer(c);
    case At::trailer_lf:
      return expect(c, '\n', At::line);
    case At::end_lf:
      return expect(c, '\n', At::done) == State::bad ? State::bad : State::done;
    case At::data:
    case At::done:
      break;
  }
  return State::bad;
}

ChunkDecoder::State ChunkDecoder::put_size(char c) {
  if (int value = hex_value(c); value >= 0) {
    left_ = left_ * 16 + static_cast<unsigned>(value);
    return ++digits_ > digits_max ? State::bad : State::need_more;
  }
  if (digits_ == 0 || (c != ';' && c != '\r')) return State::bad;
  at_ = c == ';' ? At::extension : At::size_lf;
  return State::need_more;
}

ChunkDecoder::State ChunkDecoder::end_of_size(std::size_t body_bytes) {
  at_ = left_ == 0 ? At::line : At::data;
  digits_ = 0;
  line_bytes_ = 0;
  return left_ > body_bytes_max_ - body_bytes ? State::too_large : State::need_more;
}

ChunkDecoder::State ChunkDecoder::put_trailer(char c) {
  if (c == '\r') {
    at_ = at_ == At::line ? At::end_lf : At::trailer_lf;
    return State::need_more;
  }
  at_ = At::trailer;
  return is_text(c) ? State::need_more : State::bad;
}

ChunkDecoder::State ChunkDecoder::expect(char c, char expected, At next) {
  at_ = next;
  return c == expected ? State::need_more : State::bad;
}

}  // namespace net
