// The client against a server of this room.
#include "net/http_client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "net/test_client.h"

namespace net {
namespace {

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest()
      : server_(test::quiet_options(),
                [this](Request request, Responder responder) {
                  if (request.path != "/later") return answer(request, responder);
                  held_ = std::move(responder);
                  asked_.set_value();
                }),
        client_(std::make_unique<HttpClient>(HttpClientOptions{
            *OutboundPolicy::create(fmt::format("127.0.0.1:{},127.0.0.1:1", server_.port())),
            ""})) {}

  static void answer(const Request& request, const Responder& responder) {
    if (request.path == "/moved") {
      Response moved = test::text(302, "x");
      moved.headers = {{"Location", "/"}};
      return responder.send(std::move(moved));
    }
    responder.send(test::text(200, request.method + " " + request.body));
  }

  HttpRequest request(const std::string& path) {
    HttpRequest made;
    made.url = *parse_http_url(fmt::format("http://127.0.0.1:{}{}", server_.port(), path));
    return made;
  }
  HttpEnd call(HttpRequest made) {
    std::promise<HttpEnd> end;
    client_->start(std::move(made), [&](HttpEnd each) { end.set_value(std::move(each)); });
    return end.get_future().get();
  }

  std::optional<Responder> held_;
  std::promise<void> asked_;
  test::TestServer server_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(HttpClientTest, Answers) {
  HttpRequest post = request("/");
  post.method = "POST";
  post.body = "body";
  HttpEnd end = call(post);
  ASSERT_FALSE(end.failure) << end.failure->message;
  EXPECT_EQ(end.response.status, 200);
  EXPECT_EQ(end.response.body, "POST body");
  EXPECT_NE(end.response.header("content-length"), nullptr);
  EXPECT_EQ(end.response.header("Content-Length"), nullptr);
  ASSERT_EQ(end.hops.size(), 1u);
  EXPECT_EQ(end.hops[0].body_bytes, 9u);
}

TEST_F(HttpClientTest, FollowsARedirectOrNot) {
  HttpEnd end = call(request("/moved"));
  ASSERT_FALSE(end.failure) << end.failure->message;
  EXPECT_EQ(end.response.status, 200);
  EXPECT_EQ(end.hops.size(), 2u);
  HttpRequest once = request("/moved");
  once.unfollowed = {302};
  EXPECT_EQ(call(once).response.status, 302);
}

TEST_F(HttpClientTest, TellsWhyThereIsNoAnswer) {
  HttpRequest closed = request("/");
  closed.url = *parse_http_url("http://127.0.0.1:1/");
  EXPECT_EQ(call(closed).failure->kind, "connection");
  HttpRequest inner = request("/");
  inner.url = *parse_http_url("http://127.0.0.1:2/");
  EXPECT_EQ(call(inner).failure->kind, "forbidden_address");
}

TEST_F(HttpClientTest, CancelEndsACallAtOnceAndOnce) {
  std::promise<HttpEnd> end;
  HttpClient::Id id =
      client_->start(request("/later"), [&](HttpEnd each) { end.set_value(std::move(each)); });
  asked_.get_future().wait();
  client_->cancel(id);
  EXPECT_EQ(end.get_future().get().failure->kind, "cancelled");
  client_->cancel(id);
  client_->cancel(12345);
  EXPECT_FALSE(call(request("/")).failure);
}

TEST_F(HttpClientTest, StopDropsWhatIsUnderWay) {
  std::atomic<bool> called = false;
  client_->start(request("/later"), [&](HttpEnd) { called = true; });
  asked_.get_future().wait();
  client_->stop();
  client_->start(request("/"), [&](HttpEnd) { called = true; });
  client_->stop();
  client_.reset();
  EXPECT_FALSE(called);
}

TEST_F(HttpClientTest, ManyThreadsCallAndCancel) {
  std::atomic<int> ended = 0;
  constexpr int threads = 4, calls = 200;
  std::vector<std::thread> callers;
  for (int t = 0; t < threads; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < calls; ++i) {
        HttpClient::Id id = client_->start(request("/"), [&](HttpEnd) { ++ended; });
        if (i % 3 == 0) client_->cancel(id);
      }
    });
  for (std::thread& caller : callers) caller.join();
  while (ended < threads * calls) std::this_thread::yield();
  EXPECT_EQ(ended, threads * calls);
}

TEST(RedirectTo, KeepsWhatIsHarmless) {
  HttpRequest request;
  request.url = *parse_http_url("https://a.test/");
  request.headers = {{"Accept", "x"}, {"X-Key", "k"}, {"cookie", "c"}};
  request.authorization = "Bearer t";
  HttpRequest same = request;
  ASSERT_TRUE(redirect_to(same, *parse_http_url("https://a.test/b")));
  EXPECT_EQ(same.headers.size(), 3u);
  EXPECT_EQ(same.authorization, "Bearer t");
  ASSERT_TRUE(redirect_to(request, *parse_http_url("https://b.test/b")));
  EXPECT_EQ(request.headers, (Headers{{"Accept", "x"}}));
  EXPECT_EQ(request.authorization, "");
  EXPECT_FALSE(redirect_to(request, *parse_http_url("http://b.test/b")));
}

}  // namespace
}  // namespace net
