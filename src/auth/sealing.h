// Sealing of what must be read again but not by who reads the database: XChaCha20-Poly1305 under
// the master key, which lies in a file of its own.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"
#include "store/tx.h"

namespace auth {

class Sealer {
 public:
  /// Reads the key file, or makes it with mode 0600. `invalid` when others can read it or it is
  /// none.
  static base::Result<Sealer> open(const std::string& key_file, base::Random& random);

  /// `context` says what the text belongs to; it opens under the same one only.
  std::string seal(std::string_view plain, std::string_view context) const;
  /// `internal` when it was sealed by another key or for something else, or was changed.
  base::Result<std::string> unseal(std::string_view sealed, std::string_view context) const;

  /// `conflict` when the database bears the mark of another key.
  base::Result<> check_key(store::Tx& tx) const;
  /// Before something sealed is stored: leaves the key's mark, where there is none yet.
  base::Result<> mark_key(store::Tx& tx) const;

 private:
  base::Result<bool> is_marked(store::Tx& tx) const;

  static constexpr std::size_t key_bytes = 32;
  Sealer(std::array<unsigned char, key_bytes> key, base::Random& random)
      : key_(key), random_(&random) {}
  std::array<unsigned char, key_bytes> key_;
  base::Random* random_;
};

}  // namespace auth
