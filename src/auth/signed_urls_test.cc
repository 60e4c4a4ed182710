#include "auth/signed_urls.h"

#include <gtest/gtest.h>

namespace auth {
namespace {

class SignedUrlsTest : public testing::Test {
 protected:
  /// "path?expires=…&signature=…" taken apart.
  base::Result<> check(const SignedUrls& urls, const std::string& url, base::Timestamp now) {
    std::size_t query = url.find("?expires=");
    std::size_t signature = url.find("&signature=");
    return urls.check("PUT", url.substr(0, query), std::stoll(url.substr(query + 9)),
                      url.substr(signature + 11), now);
  }
  SignedUrls open(store::Store& store) { return *SignedUrls::open(store, clock_, random_); }

  base::SystemClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<store::Store> store_ = *store::open_sqlite({""}, clock_);
  const base::Timestamp until_ = base::from_us(10'000'000);
};

TEST_F(SignedUrlsTest, AreGoodUntilTheirTime) {
  SignedUrls urls = open(*store_);
  std::string url = urls.sign("PUT", "/a/b", until_);
  EXPECT_TRUE(check(urls, url, base::from_us(0)));
  EXPECT_TRUE(check(urls, url, base::from_us(9'999'999)));
  EXPECT_EQ(check(urls, url, until_).error().code, base::ErrorCode::forbidden);
}

TEST_F(SignedUrlsTest, AreForOneMethodOnOnePath) {
  SignedUrls urls = open(*store_);
  std::string url = urls.sign("GET", "/a/b", until_);
  EXPECT_FALSE(check(urls, url, base::from_us(0)));
  url = urls.sign("PUT", "/a/b", until_);
  EXPECT_FALSE(check(urls, url.replace(1, 1, "x"), base::from_us(0)));
}

TEST_F(SignedUrlsTest, TheKeyIsTheDatabases) {
  std::string url = open(*store_).sign("PUT", "/a", until_);
  EXPECT_TRUE(check(open(*store_), url, base::from_us(0)));
  std::unique_ptr<store::Store> other = *store::open_sqlite({""}, clock_);
  EXPECT_FALSE(check(open(*other), url, base::from_us(0)));
}

}  // namespace
}  // namespace auth
