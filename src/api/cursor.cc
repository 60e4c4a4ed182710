#include "api/cursor.h"

#include <sodium.h>

#include <charconv>

#include "base/ids.h"

namespace api {

namespace {

constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
constexpr std::size_t binding_digits = 16;

// What the cursor is bound to: organization, path with its values, and every filter but the cursor
// and the page size.
std::string binding(const Call& call) {
  std::string text = call.identity->org_id + '\n' + std::string(call.route.path);
  for (const std::string& value : call.path) text += '\n' + value;
  for (base::JsonView::Member member : call.query->root().members())
    if (!member.name.string_equals("next_token") && !member.name.string_equals("limit"))
      text += '\n' + std::string(member.name.raw()) + std::string(member.value.raw());
  return base::sha256_hex(text).substr(0, binding_digits);
}

}  // namespace

std::string make_cursor(const Call& call, const std::string& position) {
  std::string plain = binding(call) + position;
  std::string token(sodium_base64_encoded_len(plain.size(), variant), '\0');
  sodium_bin2base64(token.data(), token.size(),
                    reinterpret_cast<const unsigned char*>(plain.data()), plain.size(), variant);
  token.pop_back();
  return token;
}

namespace {

base::Error not_ours() {
  return {base::ErrorCode::malformed,
          "next_token is not one of this list and filter",
          {{"/next_token", "is not one of this list and filter"}}};
}

}  // namespace

base::Result<std::int64_t> number_in_cursor(std::string_view position) {
  std::int64_t number = 0;
  auto read = std::from_chars(position.data(), position.data() + position.size(), number);
  if (read.ec != std::errc() || read.ptr != position.data() + position.size() || number < 0)
    return not_ours();
  return number;
}

base::Result<std::optional<std::string>> read_cursor(const Call& call,
                                                     const std::optional<std::string>& token) {
  if (!token) return std::optional<std::string>();
  std::string plain(token->size() + 1, '\0');
  std::size_t size = 0;
  int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(plain.data()), plain.size(),
                                 token->data(), token->size(), nullptr, &size, nullptr, variant);
  plain.resize(size);
  if (failed != 0 || !plain.starts_with(binding(call))) return not_ours();
  return std::optional(plain.substr(binding_digits));
}

}  // namespace api
