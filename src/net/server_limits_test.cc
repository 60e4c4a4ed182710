// What the server refuses, and what a bad or slow client cannot do to it.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <thread>

#include "net/server.h"
#include "net/test_client.h"

using namespace net::test;
using namespace std::chrono_literals;
using net::Request;
using net::Responder;
using net::ServerOptions;

namespace {

ServerOptions small_options() {
  ServerOptions options = quiet_options();
  options.workers = 1;
  options.header_bytes_max = 1024;
  options.body_bytes_max = 2048;
  return options;
}

std::string with_header(const std::string& line, const std::string& method = "GET") {
  return method + " / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n\r\n";
}

// Holds its requests until release(); for filling the worker and the queue behind it.
class Gate {
 public:
  void pass() {
    entered_.set_value();
    released_.get_future().wait();
  }
  void wait_entered() { entered_.get_future().wait(); }
  void release() { released_.set_value(); }

 private:
  std::promise<void> entered_, released_;
};

}  // namespace

struct RefusalCase {
  const char* name;
  std::string sent;
  int status;
};

class Refusal : public testing::TestWithParam<RefusalCase> {};

// At once, byte by byte, and twice on a server that goes on serving others.
TEST_P(Refusal, IsAnsweredAndClosed) {
  TestServer server(small_options());
  Client whole(server.port());
  Reply reply = whole.ask(GetParam().sent);
  EXPECT_EQ(reply.status, GetParam().status);
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(reply.body.starts_with("error: ")) << reply.body;
  EXPECT_FALSE(reply.header("X-Request-Id").empty());
  EXPECT_TRUE(whole.at_end());

  Client pieces(server.port());
  for (char c : GetParam().sent) pieces.send(std::string_view(&c, 1));
  EXPECT_EQ(pieces.reply().status, GetParam().status);
  EXPECT_TRUE(pieces.at_end());
  EXPECT_EQ(Client(server.port()).ask(get).status, 200);
}

static const std::string chunked_head =
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    RequestLine, Refusal,
    testing::Values(RefusalCase{"garbage", "\x16\x03\x01\x02 hello\r\n\r\n", 400},
                    RefusalCase{"no_target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"no_version", "GET /\r\n\r\n", 400},
                    RefusalCase{"two_spaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"bare_lf", "GET / HTTP/1.1\nHost: h\n\n\r\n\r\n", 400},
                    RefusalCase{"lower_method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"relative_target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"connect", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"star_of_get", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
                    RefusalCase{"http_2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                    RefusalCase{"http_1_9", "GET / HTTP/1.9\r\nHost: h\r\n\r\n", 505},
                    RefusalCase{"not_http", "GET / HTTX/1.1\r\nHost: h\r\n\r\n", 400}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Header, Refusal,
    testing::Values(
        RefusalCase{"no_host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
        RefusalCase{"two_hosts", with_header("Host: i"), 400},
        RefusalCase{"nul", with_header(std::string("X: a\0b", 6)), 400},
        RefusalCase{"bare_cr", with_header("X: a\rb"), 400},
        RefusalCase{"bare_lf", with_header("X: a\nY: b"), 400},
        RefusalCase{"no_colon", with_header("nonsense"), 400},
        RefusalCase{"space_before_colon", with_header("Transfer-Encoding : chunked"), 400},
        RefusalCase{"empty_name", with_header(": v"), 400},
        RefusalCase{"too_large", with_header("X: " + std::string(1100, 'a')), 431},
        RefusalCase{"too_many",
                    with_header("A:\r\nA:" +
                                [] {
                                  std::string lines;
                                  for (int i = 0; i < 199; ++i) lines += "\r\nA:";
                                  return lines;
                                }()),
                    431},
        RefusalCase{"long_target", "GET /" + std::string(1100, 'a') + " HTTP/1.1\r\n\r\n", 431},
        RefusalCase{"other_expectation", with_header("Expect: miracle"), 417}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Body, Refusal,
    testing::Values(
        RefusalCase{"length_and_chunks",
                    with_header("Content-Length: 3\r\nTransfer-Encoding: chunked", "POST"), 400},
        RefusalCase{"chunks_and_length",
                    with_header("Transfer-Encoding: chunked\r\nContent-Length: 3", "POST"), 400},
        RefusalCase{"gzip_and_length",
                    with_header("Transfer-Encoding: gzip\r\nContent-Length: 3", "POST"), 400},
        RefusalCase{"two_lengths", with_header("Content-Length: 3\r\nContent-Length: 4", "POST"),
                    400},
        RefusalCase{"list_of_lengths", with_header("Content-Length: 3, 4", "POST"), 400},
        RefusalCase{"negative_length", with_header("Content-Length: -1", "POST"), 400},
        RefusalCase{"signed_length", with_header("Content-Length: +1", "POST"), 400},
        RefusalCase{"huge_length", with_header("Content-Length: 99999999999999999999", "POST"),
                    400},
        RefusalCase{"gzip", with_header("Transfer-Encoding: gzip", "POST"), 501},
        RefusalCase{"gzip_chunked", with_header("Transfer-Encoding: gzip, chunked", "POST"), 501},
        RefusalCase{"chunked_twice",
                    with_header("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "POST"),
                    400},
        RefusalCase{
            "identity_then_chunked",
            with_header("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", "POST"), 501},
        RefusalCase{"chunks_in_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        RefusalCase{"too_large", with_header("Content-Length: 2049", "POST"), 413},
        RefusalCase{"chunk_too_large", chunked_head + "801\r\n", 413},
        RefusalCase{"chunks_too_large", chunked_head + "1\r\na\r\n800\r\n", 413},
        RefusalCase{"chunk_size_overflow", chunked_head + "10000000000000001\r\n", 400},
        RefusalCase{"chunk_no_size", chunked_head + "\r\n", 400},
        RefusalCase{"chunk_bad_size", chunked_head + "0x1\r\n", 400},
        RefusalCase{"chunk_bare_lf", chunked_head + "1\na\r\n0\r\n\r\n", 400},
        RefusalCase{"chunk_spaces", chunked_head + "1 \r\na\r\n0\r\n\r\n", 400},
        RefusalCase{"chunk_no_end", chunked_head + "1\r\nab\r\n0\r\n\r\n", 400},
        RefusalCase{"chunk_endless_line", chunked_head + "1;" + std::string(5000, 'x'), 400},
        RefusalCase{"chunk_endless_trailer", chunked_head + "0\r\n" + std::string(5000, 'x'), 400},
        RefusalCase{"chunk_nul_in_trailer", chunked_head + "0\r\n" + std::string("a\0", 2), 400}),
    [](const auto& info) { return info.param.name; });

TEST(ServerLimits, HeaderOfJustTheLimitPasses) {
  TestServer server(small_options());
  std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
  std::string request = start + std::string(1024 - start.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(Client(server.port()).ask(request).status, 200);
  request.insert(start.size(), "x");
  EXPECT_EQ(Client(server.port()).ask(request).status, 431);
}

TEST(ServerLimits, BodyOfJustTheLimitPasses) {
  TestServer server(small_options());
  std::string body(2048, 'b');
  Client client(server.port());
  EXPECT_EQ(client.ask(with_header("Content-Length: 2048", "PUT") + body).body, "PUT /|" + body);
  EXPECT_EQ(client
                .ask(with_header("Transfer-Encoding: chunked", "PUT") + "800\r\n" + body +
                     "\r\n0\r\n\r\n")
                .body,
            "PUT /|" + body);
}

// Two uploads of which each alone would fit: the second is told to come again, the first goes on.
TEST(ServerLimits, TooMuchUploadedAtOnceIs503) {
  ServerOptions options = small_options();
  options.bodies_bytes_max = 1500;
  Gate gate;
  TestServer server(options, [&](Request request, Responder responder) {
    if (request.path == "/gate") gate.pass();
    TestServer::echo(std::move(request), responder);
  });
  std::string body(1000, 'b');
  Client first(server.port());
  first.send("PUT /gate HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + body);
  gate.wait_entered();
  Client second(server.port());
  Reply refused = second.ask(with_header("Content-Length: 1000", "PUT") + body);
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Retry-After"), "1");
  EXPECT_TRUE(second.at_end());
  gate.release();
  EXPECT_EQ(first.reply().body, "PUT /gate|" + body);
  // The share is given back when the handler returns, which may be just after the answer.
  std::string again = with_header("Content-Length: 1000", "PUT") + body;
  while (Client(server.port()).ask(again).status != 200) std::this_thread::yield();
}

// The client is still sending when the refusal comes; it must see it and not a reset.
TEST(ServerLimits, RefusedUploaderSeesTheAnswer) {
  TestServer server(small_options());
  Client client(server.port());
  client.send(with_header("Content-Length: 4000000", "PUT") + std::string(4'000'000, 'x'));
  EXPECT_EQ(client.reply().status, 413);
  EXPECT_TRUE(client.at_end());
}

TEST(ServerLimits, RefusesBeforeContinue) {
  TestServer server(small_options());
  Client client(server.port());
  EXPECT_EQ(client.ask(with_header("Expect: 100-continue\r\nContent-Length: 4000", "PUT")).status,
            413);
}

TEST(ServerLimits, RefusedRequestEndsThePipeline) {
  TestServer server(small_options());
  Client client(server.port());
  client.send(get + with_header("Host: i") + get);
  EXPECT_EQ(client.reply().status, 200);
  EXPECT_EQ(client.reply().status, 400);
  EXPECT_TRUE(client.at_end());
}

TEST(ServerLimits, SlowHeaderIs408AndHoldsNoWorker) {
  ServerOptions options = small_options();
  options.header_timeout = 60ms;
  TestServer server(options);
  Client slow(server.port());
  slow.send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(Client(server.port()).ask(get).status, 200);
  EXPECT_EQ(slow.reply().status, 408);
  EXPECT_TRUE(slow.at_end());
}

TEST(ServerLimits, SlowBodyIs408AndHoldsNoWorker) {
  ServerOptions options = small_options();
  options.body_timeout = 60ms;
  TestServer server(options);
  Client slow(server.port());
  slow.send(with_header("Content-Length: 10", "PUT") + "12345");
  EXPECT_EQ(Client(server.port()).ask(get).status, 200);
  EXPECT_EQ(slow.reply().status, 408);
  EXPECT_TRUE(slow.at_end());
}

TEST(ServerLimits, IdleConnectionsCloseSilently) {
  ServerOptions options = small_options();
  options.idle_timeout = 40ms;
  TestServer server(options);
  Client fresh(server.port());
  EXPECT_TRUE(fresh.at_end());
  Client used(server.port());
  EXPECT_EQ(used.ask(get).status, 200);
  EXPECT_TRUE(used.at_end());
}

TEST(ServerLimits, ClientThatDoesNotReadIsCut) {
  ServerOptions options = small_options();
  options.write_timeout = 50ms;
  std::promise<Responder> kept;
  TestServer server(options, [&](Request, Responder responder) {
    kept.set_value(responder);
    responder.send(text(200, std::string(64u << 20, 'x')));
  });
  Client client(server.port());
  client.send(get);
  Responder responder = kept.get_future().get();
  while (!responder.client_gone()) std::this_thread::yield();
  EXPECT_EQ(client.reply().status, 0);  // less than its Content-Length said
}

TEST(ServerLimits, FullQueueIs503) {
  ServerOptions options = small_options();
  options.request_queue_max = 1;
  Gate gate;
  TestServer server(options, [&](Request request, Responder responder) {
    if (request.path == "/gate") gate.pass();
    TestServer::echo(std::move(request), responder);
  });
  Client working(server.port());
  working.send("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
  gate.wait_entered();
  // Of three requests one fits the queue; which one is the kernel's choice.
  std::counting_semaphore<> refusals(0);
  std::atomic<int> served = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i)
    clients.emplace_back([&] {
      Client client(server.port());
      Reply reply = client.ask(get);
      if (reply.status == 200) ++served;
      if (reply.status == 503 && reply.header("Retry-After") == "1") refusals.release();
    });
  refusals.acquire();
  refusals.acquire();
  EXPECT_EQ(served, 0);
  gate.release();
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(served, 1);
  EXPECT_EQ(working.reply().status, 200);
}

TEST(ServerLimits, TooManyConnectionsAre503) {
  ServerOptions options = small_options();
  options.connections_max = 2;
  TestServer server(options);
  Client first(server.port()), second(server.port());
  EXPECT_EQ(first.ask(get).status, 200);
  EXPECT_EQ(second.ask(get).status, 200);
  Client third(server.port());
  third.send(get);
  Reply reply = third.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.header("Retry-After"), "1");
  EXPECT_TRUE(third.at_end());
  third.close();
  first.close();
  // The server learns of the closing soon, not at once.
  while (Client(server.port()).ask(get).status != 200) std::this_thread::yield();
  EXPECT_EQ(second.ask(get).status, 200);
}

TEST(ServerLimits, PipelineOfManyRequestsIsBounded) {
  ServerOptions options = small_options();
  Gate gate;
  TestServer server(options, [&](Request request, Responder responder) {
    if (request.path == "/gate") gate.pass();
    TestServer::echo(std::move(request), responder);
  });
  Client client(server.port());
  client.send("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
  gate.wait_entered();
  std::string padded = with_header("X: " + std::string(900, 'x'));
  std::string flood;
  while (flood.size() < 32u << 20) flood += padded;
  // The server reads only a little ahead, so a client that insists is stopped by its socket.
  std::size_t taken = client.send_what_fits(flood);
  EXPECT_LT(taken, flood.size());
  gate.release();
  EXPECT_EQ(client.reply().body, "GET /gate|");
  for (std::size_t i = 0; i < taken / padded.size(); ++i) ASSERT_EQ(client.reply().status, 200);
}
