// http: its conversation, without a network.
#include <gtest/gtest.h>

#include "nodes/catalog.h"
#include "nodes/http_pages.h"

namespace nodes {
namespace {

std::unique_ptr<Exchange> exchange(std::string config) {
  NodeContext context;
  context.config = std::move(config);
  context.inputs = context.parameters = "{}";
  context.idempotency_key = "run_1:a";
  context.traceparent = "00-1-2-01";
  auto made = find("http")->converse(context);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

net::HttpEnd answer(int status, std::string body, net::Headers headers = {}) {
  net::HttpEnd end;
  end.response = {status, *net::parse_http_url("http://a.test/x"), std::move(headers),
                  std::move(body)};
  return end;
}

net::HttpRequest request_of(std::variant<net::HttpRequest, Outcome> next) {
  EXPECT_TRUE(std::holds_alternative<net::HttpRequest>(next));
  return std::get<net::HttpRequest>(std::move(next));
}

Outcome outcome_of(std::variant<net::HttpRequest, Outcome> next) {
  EXPECT_TRUE(std::holds_alternative<Outcome>(next));
  return std::get<Outcome>(std::move(next));
}

TEST(Http, AsksOnceAndGivesTheAnswer) {
  auto call = exchange(R"({"url":"http://a.test/x?y=1","method":"PUT","body":{"n":1.10}})");
  net::HttpRequest request = request_of(call->next(nullptr));
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.url.text, "http://a.test/x?y=1");
  EXPECT_EQ(request.body, R"({"n":1.10})");
  EXPECT_EQ(request.headers, (net::Headers{{"traceparent", "00-1-2-01"},
                                           {"Idempotency-Key", "run_1:a"},
                                           {"Content-Type", "application/json"}}));
  net::HttpEnd end = answer(201, R"({"id": 9007199254740993})",
                            {{"content-type", "application/json"}, {"vary", "a"}, {"vary", "b"}});
  Outcome outcome = outcome_of(call->next(&end));
  EXPECT_EQ(outcome.output,
            R"({"status":201,"headers":{"content-type":"application/json","vary":"a, b"},)"
            R"("body_type":"json","body":{"id": 9007199254740993}})");
}

TEST(Http, AFailedCallKeepsItsKind) {
  auto call = exchange(R"({"url":"http://a.test/x?key=hidden"})");
  net::HttpEnd end;
  end.failure = net::HttpFailure{"connection", "refused"};
  Outcome outcome = outcome_of(call->next(&end));
  EXPECT_EQ(outcome.failure.kind, "connection");
  EXPECT_EQ(outcome.failure.message, "GET http://a.test/x: refused");
}

TEST(Http, ABodyInAMessageIsCutAndIsText) {
  auto call = exchange(R"({"url":"http://a.test/"})");
  net::HttpEnd end = answer(500, std::string(5000, 'x'));
  EXPECT_LT(outcome_of(call->next(&end)).failure.message.size(), 1100u);
  end = answer(500, "\xff\xfe");
  EXPECT_EQ(outcome_of(call->next(&end)).failure.message, "GET http://a.test/: status 500");
}

TEST(Http, PagesOfAnotherOriginAreAskedWithoutCredentials) {
  auto call = exchange(
      R"({"url":"http://a.test/x","auth":{"type":"bearer","token":"t"},"paginate":{"by":"link"}})");
  EXPECT_EQ(request_of(call->next(nullptr)).authorization, "Bearer t");
  net::HttpEnd end = answer(200, "[1]", {{"link", "</y>; rel=next"}});
  EXPECT_EQ(request_of(call->next(&end)).authorization, "Bearer t");
  end = answer(200, "[2]", {{"link", "<http://b.test/>; rel=next"}});
  net::HttpRequest elsewhere = request_of(call->next(&end));
  EXPECT_EQ(elsewhere.authorization, "");
  EXPECT_EQ(elsewhere.headers, net::Headers{});
  end = answer(200, "[]");
  EXPECT_NE(outcome_of(call->next(&end)).output.find(R"("body":[1,2],"pages":3)"),
            std::string::npos);
}

TEST(Http, FindsTheNextLink) {
  auto next = [](std::string value) {
    return next_link({{"x", "y"}, {"link", std::move(value)}}).value_or("-");
  };
  EXPECT_EQ(next("<a>; rel=next"), "a");
  EXPECT_EQ(next("<a>;rel=\"next\""), "a");
  EXPECT_EQ(next("<a>; rel=\"prev\", <b>; REL=\"last NEXT\""), "b");
  EXPECT_EQ(next("<a,b;c>; title=\"x; rel=next, <y>\"; rel=prev, <d>; rel=next"), "d");
  EXPECT_EQ(next("<a>; title=\"\\\"\"; rel=next"), "a");
  EXPECT_EQ(next("<a>; rel=prev; rel=next"), "-");  // the first counts
  EXPECT_EQ(next("<a>; rel=nextpage"), "-");
  EXPECT_EQ(next("<a>; rel"), "-");
  for (const char* broken : {"", "<", "<a", "a>; rel=next", "<a>; rel=\"next", "<a>;;;", "<a>; ="})
    EXPECT_NE(next(broken), "x");
  EXPECT_EQ(next("<a>; rel=prev, <"), "-");
}

}  // namespace
}  // namespace nodes
