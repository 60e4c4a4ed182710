#include "auth/signed_urls.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <chrono>
#include <vector>

namespace auth {

namespace {

constexpr std::string_view key_name = "signed_urls";

std::string hex_of(std::span<const unsigned char> bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  sodium_bin2hex(text.data(), text.size(), bytes.data(), bytes.size());
  text.pop_back();
  return text;
}

}  // namespace

base::Result<SignedUrls> SignedUrls::open(store::Store& store, base::Clock& clock,
                                          base::Random& random) {
  std::array<unsigned char, crypto_auth_hmacsha256_KEYBYTES> fresh;
  random.fill(std::as_writable_bytes(std::span(fresh)));
  std::string secret;
  TRY(store.write([&](store::Tx& tx) -> base::Result<> {
    TRY(
        tx.run("INSERT INTO server_keys (name, secret, created_at) VALUES (?1, ?2, ?3) "
               "ON CONFLICT (name) DO NOTHING",
               {key_name, hex_of(fresh), clock.now()}));
    TRY(tx.run("SELECT secret FROM server_keys WHERE name = ?1", {key_name},
               [&](const store::Row& row) { secret = row.string(0); }));
    return {};
  }));
  std::string key(fresh.size(), '\0');
  std::size_t size = 0;
  int failed = sodium_hex2bin(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                              secret.data(), secret.size(), nullptr, &size, nullptr);
  if (failed != 0 || size != key.size())
    return base::internal_error("server_keys: the key of signed URLs is damaged");
  return SignedUrls(std::move(key));
}

std::string SignedUrls::signature_of(std::string_view method, std::string_view path,
                                     std::int64_t expires) const {
  std::string text = fmt::format("{}\n{}\n{}", method, path, expires);
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> signature;
  crypto_auth_hmacsha256(signature.data(), reinterpret_cast<const unsigned char*>(text.data()),
                         text.size(), reinterpret_cast<const unsigned char*>(key_.data()));
  return hex_of(signature);
}

std::string SignedUrls::sign(std::string_view method, std::string_view path,
                             base::Timestamp until) const {
  std::int64_t expires = base::to_us(until) / 1'000'000;
  return fmt::format("{}?expires={}&signature={}", path, expires,
                     signature_of(method, path, expires));
}

base::Result<> SignedUrls::check(std::string_view method, std::string_view path,
                                 std::int64_t expires, std::string_view signature,
                                 base::Timestamp now) const {
  auto refused = [](std::string why) {
    return base::Error{base::ErrorCode::forbidden, std::move(why)};
  };
  std::string right = signature_of(method, path, expires);
  if (signature.size() != right.size() ||
      sodium_memcmp(signature.data(), right.data(), right.size()) != 0)
    return refused("the signature of this URL is wrong");
  if (base::to_us(now) / 1'000'000 >= expires) return refused("the time of this URL is over");
  return {};
}

}  // namespace auth
