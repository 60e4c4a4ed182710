// Which addresses are public, and what an operator allows beside them.
#include "net/outbound_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace net {
namespace {

struct Address {
  sockaddr_storage storage{};
  explicit Address(const char* text) {
    auto& four = reinterpret_cast<sockaddr_in&>(storage);
    auto& six = reinterpret_cast<sockaddr_in6&>(storage);
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
      four.sin_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1) {
      six.sin6_family = AF_INET6;
    } else {
      ADD_FAILURE() << text;
    }
  }
  operator const sockaddr&() const { return reinterpret_cast<const sockaddr&>(storage); }
};

TEST(OutboundPolicy, PublicAddresses) {
  for (const char* text :
       {"1.1.1.1",         "8.8.8.8",       "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",   "126.255.255.255", "128.0.0.0",
        "168.63.129.15",   "168.63.129.17", "169.253.255.255", "169.255.0.0",
        "172.15.255.255",  "172.32.0.0",    "192.0.1.0",       "192.0.3.0",
        "192.167.255.255", "192.169.0.0",   "198.17.255.255",  "198.20.0.0",
        "223.255.255.255", "2000::1",       "2001:200::1",     "2001:4860:4860::8888",
        "2001:db7:ffff::", "2001:db9::",    "2001:ffff::",     "2003::1",
        "2606:2800::1",    "3ffe::1",       "::ffff:8.8.8.8",  "64:ff9b::808:808"})
    EXPECT_TRUE(is_public(Address(text))) << text;
}

TEST(OutboundPolicy, SpecialAddresses) {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "168.63.129.16",
                           "169.254.0.0",
                           "169.254.169.254",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.0",
                           "192.0.0.192",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.0",
                           "192.168.255.255",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.0",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "::7f00:1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::7f00:1",
                           "64:ff9b:1::1",
                           "100::1",
                           "1fff::1",
                           "2001::1",
                           "2001:1ff::1",
                           "2001:db8::1",
                           "2001:db8:ffff::",
                           "2002::1",
                           "3fff::1",
                           "3fff:fff::",
                           "4000::1",
                           "5f00::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1"})
    EXPECT_FALSE(is_public(Address(text))) << text;
  sockaddr none{};
  EXPECT_FALSE(is_public(none));
}

TEST(OutboundPolicy, AllowsWhatItNames) {
  auto policy = OutboundPolicy::create("Intern.Example:8080,10.0.0.5:443,[::1]:80,[FD00::0:1]:1");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_TRUE(policy->permits("intern.example", 8080, Address("10.9.9.9")));
  EXPECT_FALSE(policy->permits("intern.example", 8081, Address("10.9.9.9")));
  EXPECT_FALSE(policy->permits("x.intern.example", 8080, Address("10.9.9.9")));
  EXPECT_TRUE(policy->permits("any", 443, Address("10.0.0.5")));
  EXPECT_FALSE(policy->permits("any", 444, Address("10.0.0.5")));
  EXPECT_FALSE(policy->permits("any", 443, Address("10.0.0.6")));
  EXPECT_TRUE(policy->permits("::1", 80, Address("::1")));
  EXPECT_TRUE(policy->permits("localhost", 80, Address("::1")));
  EXPECT_TRUE(policy->permits("x", 1, Address("fd00::1")));
  EXPECT_TRUE(policy->permits("any", 443, Address("1.1.1.1")));
}

TEST(OutboundPolicy, RefusesOtherEntries) {
  EXPECT_TRUE(OutboundPolicy::create(""));
  for (const char* text : {"a", "a:", ":1", "a:0", "a:65536", "a:-1", "a:1x", ",a:1", "::1:1",
                           "a:1 ", " a:1", "a/b:1", "u@a:1", "http://a:1", "a:1;b:2", "a?:1"})
    EXPECT_FALSE(OutboundPolicy::create(text)) << text;
  std::string many;
  for (int i = 0; i <= 1000; ++i) many += "h" + std::to_string(i) + ":1,";
  EXPECT_FALSE(OutboundPolicy::create(many));
}

}  // namespace
}  // namespace net
