#include "base/sha256.h"

#include <gtest/gtest.h>

#include "base/ids.h"

namespace base {
namespace {

TEST(Sha256, IsThatOfTheWhole) {
  EXPECT_EQ(Sha256().hex(), sha256_hex(""));
  Sha256 pieces;
  for (std::string_view piece : {"a", "", "bc", "def"}) pieces.add(piece);
  EXPECT_EQ(pieces.hex(), sha256_hex("abcdef"));
}

TEST(Sha256, IsToldFromOtherTexts) {
  std::string hash = sha256_hex("a");
  EXPECT_TRUE(is_sha256(hash));
  EXPECT_FALSE(is_sha256(""));
  EXPECT_FALSE(is_sha256(hash.substr(1)));
  EXPECT_FALSE(is_sha256(hash + "0"));
  EXPECT_FALSE(is_sha256("G" + hash.substr(1)));
  EXPECT_FALSE(is_sha256("../" + hash.substr(3)));
}

}  // namespace
}  // namespace base
