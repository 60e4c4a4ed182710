#include "store/postgres_value.h"

namespace store {

namespace {

template <class N>
void append_integer(std::string& out, N number) {
  for (int shift = (sizeof(N) - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> shift & 0xff);
}

template <class N>
void put_integer(std::string& out, std::size_t at, N number) {
  std::string bytes;
  append_integer(bytes, number);
  out.replace(at, bytes.size(), bytes);
}

constexpr unsigned bind_types[] = {postgres_type::unknown, postgres_type::int8, postgres_type::text,
                                   postgres_type::bytea};

// Dimensions, "has nulls", element type, length, lower bound; each of four bytes.
constexpr std::size_t has_null_at = 4;
constexpr std::size_t count_at = 12;

}  // namespace

PostgresValue::PostgresValue(const Bind& bind) : type_(bind_types[bind.type()]) {
  if (auto* number = std::get_if<std::int64_t>(&bind.value())) {
    append_integer(bytes_.emplace<std::string>(), *number);
  } else if (auto* text = std::get_if<std::string_view>(&bind.value())) {
    bytes_ = *text;
  } else if (auto* blob = std::get_if<Blob>(&bind.value())) {
    bytes_ = blob->bytes;
  }
}

PostgresArray::PostgresArray(unsigned element) : element_(element) {
  append_integer<std::int32_t>(bytes_, 1);
  append_integer<std::int32_t>(bytes_, 0);
  append_integer<std::uint32_t>(bytes_, element);
  append_integer<std::int32_t>(bytes_, 0);
  append_integer<std::int32_t>(bytes_, 1);
}

void PostgresArray::add(std::int64_t number) {
  append_integer<std::int32_t>(bytes_, sizeof number);
  append_integer(bytes_, number);
  ++count_;
}

void PostgresArray::add(std::string_view bytes) {
  append_integer(bytes_, static_cast<std::int32_t>(bytes.size()));
  bytes_ += bytes;
  ++count_;
}

void PostgresArray::add_null() {
  append_integer<std::int32_t>(bytes_, -1);
  has_null_ = true;
  ++count_;
}

PostgresValue PostgresArray::take() {
  put_integer<std::int32_t>(bytes_, has_null_at, has_null_ ? 1 : 0);
  put_integer(bytes_, count_at, count_);
  unsigned type = element_ == postgres_type::int8   ? postgres_type::int8_array
                  : element_ == postgres_type::text ? postgres_type::text_array
                                                    : postgres_type::bytea_array;
  return {type, std::move(bytes_)};
}

PostgresColumns::PostgresColumns(std::initializer_list<unsigned> elements) {
  for (unsigned element : elements) columns_.emplace_back(element);
}

std::vector<PostgresValue> PostgresColumns::take() {
  std::vector<PostgresValue> values;
  for (PostgresArray& column : columns_) values.push_back(column.take());
  return values;
}

std::int64_t read_integer(std::string_view bytes) {
  std::int64_t number = !bytes.empty() && (bytes[0] & 0x80) ? -1 : 0;
  for (char byte : bytes)
    number = static_cast<std::int64_t>(static_cast<std::uint64_t>(number) << 8 |
                                       static_cast<unsigned char>(byte));
  return number;
}

}  // namespace store
