// URLs whose signature is the credential: good for one thing, until a time. The key is the
// database's, so that every node and every later start of the server reads them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "store/store.h"

namespace auth {

/// Thread-safe.
class SignedUrls {
 public:
  /// Reads the key, or makes it.
  static base::Result<SignedUrls> open(store::Store& store, base::Clock& clock,
                                       base::Random& random);

  /// `path` with its end and its signature, for requests of this method.
  std::string sign(std::string_view method, std::string_view path, base::Timestamp until) const;
  /// Error `forbidden`. `expires` is in seconds since 1970.
  base::Result<> check(std::string_view method, std::string_view path, std::int64_t expires,
                       std::string_view signature, base::Timestamp now) const;

 private:
  explicit SignedUrls(std::string key) : key_(std::move(key)) {}
  std::string signature_of(std::string_view method, std::string_view path,
                           std::int64_t expires) const;

  std::string key_;  // bytes
};

}  // namespace auth
