#include "net/trusted_proxies.h"

#include <gtest/gtest.h>

namespace net {
namespace {

std::string client(const char* trusted, const char* peer, std::vector<const char*> forwarded) {
  Request request;
  request.client_ip = peer;
  for (const char* line : forwarded) request.headers.push_back({"x-forwarded-for", line});
  auto proxies = TrustedProxies::create(trusted);
  EXPECT_TRUE(proxies);
  return proxies->client_of(request);
}

TEST(TrustedProxies, NobodyIsBelievedByDefault) {
  EXPECT_EQ(client("", "127.0.0.1", {"1.2.3.4"}), "127.0.0.1");
  EXPECT_EQ(client("10.0.0.0/8", "127.0.0.1", {"1.2.3.4"}), "127.0.0.1");
}

TEST(TrustedProxies, TheLastThatIsNotTrusted) {
  const char* trusted = "127.0.0.1, 10.0.0.0/8,fd00::/8";
  EXPECT_EQ(client(trusted, "127.0.0.1", {}), "127.0.0.1");
  EXPECT_EQ(client(trusted, "127.0.0.1", {"1.2.3.4"}), "1.2.3.4");
  EXPECT_EQ(client(trusted, "127.0.0.1", {"6.6.6.6, 1.2.3.4 , 10.1.2.3"}), "1.2.3.4");
  EXPECT_EQ(client(trusted, "10.9.9.9", {"6.6.6.6", "1.2.3.4,10.1.2.3"}), "1.2.3.4");
  EXPECT_EQ(client(trusted, "fd12::1", {"2001:db8::7, fd00::1"}), "2001:db8::7");
  EXPECT_EQ(client(trusted, "10.9.9.9", {"10.0.0.1, 10.0.0.2"}), "10.0.0.1");
  EXPECT_EQ(client(trusted, "10.9.9.9", {"1.2.3.4:5678"}), "1.2.3.4");
  EXPECT_EQ(client(trusted, "10.9.9.9", {"[2001:db8::7]:443"}), "2001:db8::7");
}

TEST(TrustedProxies, WhatIsNoAddressEndsTheSearch) {
  const char* trusted = "127.0.0.1";
  for (const char* bad : {"unknown", "", ",", "1.2.3", "1.2.3.4.5", "_hidden", "1.2.3.4 5", "[::1"})
    EXPECT_EQ(client(trusted, "127.0.0.1", {bad}), "127.0.0.1") << bad;
  EXPECT_EQ(client("127.0.0.1, 10.0.0.0/8", "127.0.0.1", {"x, 10.0.0.1"}), "10.0.0.1");
}

TEST(TrustedProxies, WhatIsNoEntry) {
  for (const char* bad : {"localhost", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/",
                          "10.0.0.0/8x", "1.2.3.4,,::1", "/8"})
    EXPECT_FALSE(TrustedProxies::create(bad)) << bad;
  EXPECT_TRUE(TrustedProxies::create(" 0.0.0.0/0 , ::/0 "));
}

TEST(TrustedProxies, PartsOfAByte) {
  EXPECT_EQ(client("10.128.0.0/9", "10.200.0.1", {"1.1.1.1"}), "1.1.1.1");
  EXPECT_EQ(client("10.128.0.0/9", "10.100.0.1", {"1.1.1.1"}), "10.100.0.1");
}

}  // namespace
}  // namespace net
