// SHA-256 of what comes in pieces; of one piece it is sha256_hex in ids.h.
#pragma once

#include <sodium.h>

#include <string>
#include <string_view>

namespace base {

class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }
  void add(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }
  /// In lower-case hexadecimal. Nothing may be added after it.
  std::string hex();

 private:
  crypto_hash_sha256_state state_;
};

/// Whether a text is a SHA-256 as hex() writes it.
bool is_sha256(std::string_view text);

}  // namespace base
