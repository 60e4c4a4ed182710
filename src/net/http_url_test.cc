// URLs as they are read, normalized and resolved.
#include "net/http_url.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace net {
namespace {

std::string text_of(const base::Result<HttpUrl>& url) {
  return url ? url->text : "error: " + url.error().message;
}

TEST(HttpUrl, ReadsItsParts) {
  auto url = parse_http_url("HTTPS://Example.COM/a/../b?q=1#there");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 443);
  EXPECT_TRUE(url->text.ends_with("/b?q=1")) << url->text;
  EXPECT_TRUE(url->without_query().ends_with("/b"));
  EXPECT_EQ(parse_http_url("http://[::1]:8080/")->host, "::1");
  EXPECT_EQ(parse_http_url("http://[::1]:8080/")->port, 8080);
  EXPECT_EQ(parse_http_url("http://0x7f.1/")->host, "127.0.0.1");
}

TEST(HttpUrl, RefusesWhatIsNone) {
  for (const char* text :
       {"", "x", "/path", "http://", "ftp://a/", "file:///etc/passwd", "http://u@a/",
        "http://u:p@a/", "http://:p@a/", "http://a:0/", "http://a:65536/", "http://a b/",
        "http://a/ b", "http://[::1/", "javascript:alert(1)"})
    EXPECT_FALSE(parse_http_url(text)) << text;
  EXPECT_FALSE(parse_http_url(std::string_view("http://a/\0b", 11)));
  std::string longest = "http://a/";
  longest.resize(base::limits::http_url_bytes_max, 'x');
  EXPECT_TRUE(parse_http_url(longest));
  EXPECT_FALSE(parse_http_url(longest + 'x'));
}

TEST(HttpUrl, ResolvesReferences) {
  HttpUrl from = *parse_http_url("http://a.test/b/c?d=1");
  EXPECT_EQ(text_of(resolve_url(from, "e")), "http://a.test/b/e");
  EXPECT_EQ(text_of(resolve_url(from, "/e?f")), "http://a.test/e?f");
  EXPECT_EQ(text_of(resolve_url(from, "?e=2")), "http://a.test/b/c?e=2");
  EXPECT_EQ(text_of(resolve_url(from, "//b.test/e")), "http://b.test/e");
  EXPECT_EQ(text_of(resolve_url(from, "https://b.test/")), "https://b.test/");
  EXPECT_FALSE(resolve_url(from, "ftp://b.test/"));
  EXPECT_FALSE(resolve_url(from, "http://u:p@b.test/"));
}

TEST(HttpUrl, ComparesOrigins) {
  HttpUrl a = *parse_http_url("http://a.test/x");
  EXPECT_TRUE(a.has_origin_of(*parse_http_url("http://A.test:80/y?z")));
  EXPECT_FALSE(a.has_origin_of(*parse_http_url("https://a.test/x")));
  EXPECT_FALSE(a.has_origin_of(*parse_http_url("http://a.test:81/x")));
  EXPECT_FALSE(a.has_origin_of(*parse_http_url("http://b.test/x")));
}

}  // namespace
}  // namespace net
