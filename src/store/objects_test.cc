#include "store/objects.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/ids.h"
#include "base/test_directory.h"

namespace store {
namespace {

class ObjectsTest : public testing::Test {
 protected:
  base::TemporaryDirectory directory_;
  const std::string root_ = directory_.path();
  ObjectDirectory objects_{root_ + "/objects"};
};

TEST_F(ObjectsTest, BytesUnderTheirHash) {
  std::string bytes(100'000, 'x');
  auto name = objects_.put(bytes);
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, base::sha256_hex(bytes));
  EXPECT_EQ(*objects_.put(bytes), *name);
  EXPECT_EQ(*objects_.get(*name), bytes);
}

TEST_F(ObjectsTest, MissingAndDamagedAreToldApart) {
  EXPECT_EQ(objects_.get(base::sha256_hex("nothing")).error().code, base::ErrorCode::not_found);
  std::string name = *objects_.put("bytes");
  std::ofstream(root_ + "/objects/" + name.substr(0, 2) + "/" + name) << "other";
  EXPECT_EQ(objects_.get(name).error().code, base::ErrorCode::internal);
}

TEST_F(ObjectsTest, OldOnesAreListedAndRemoved) {
  std::string name = *objects_.put("bytes");
  EXPECT_TRUE(objects_.older_than(base::from_us(0))->empty());
  EXPECT_EQ(*objects_.older_than(base::from_us(INT64_MAX)), std::vector<std::string>{name});
  ASSERT_TRUE(objects_.remove(name));
  EXPECT_FALSE(objects_.get(name));
}

TEST_F(ObjectsTest, NothingHalfWrittenStays) {
  ASSERT_TRUE(objects_.put("bytes"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_))
    EXPECT_NE(entry.path().extension(), ".tmp");
}

}  // namespace
}  // namespace store
