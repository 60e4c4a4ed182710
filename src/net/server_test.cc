// The server as a client sees it when all goes well, and how it stops.
#include "net/server.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <latch>
#include <thread>

#include "net/test_client.h"

using namespace net::test;
using namespace std::chrono_literals;
using net::Request;
using net::Responder;
using net::ServerOptions;

TEST(Server, AnswersAndKeepsTheConnection) {
  TestServer server;
  Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    Reply reply = client.ask("GET /x%20y?q=1&r HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "GET /x%20y?q=1&r|");
    EXPECT_TRUE(reply.head.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(reply.header("Content-Type"), "text/plain");
    EXPECT_EQ(reply.header("Content-Length"), "17");
    EXPECT_EQ(reply.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(reply.header("Date").size(), 29u);
    EXPECT_TRUE(reply.header("X-Request-Id").starts_with("req_"));
    EXPECT_EQ(reply.header("X-Request-Id").size(), 30u);
    EXPECT_EQ(reply.header("Connection"), "");
  }
}

TEST(Server, GivesTheHandlerTheRequest) {
  std::promise<Request> seen;
  TestServer server(quiet_options(), [&](Request request, Responder responder) {
    seen.set_value(std::move(request));
    responder.send({});
  });
  Client client(server.port());
  client.ask(
      "POST /p?x=%41 HTTP/1.1\r\nHost: h:1\r\nX-Two:  spaced \t\r\nX-two: again\r\n"
      "X-Request-Id: abc.DEF-1_2\r\nContent-Length: 3\r\n\r\nxyz");
  Request request = seen.get_future().get();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/p");
  EXPECT_EQ(request.query, "x=%41");
  EXPECT_EQ(request.header("host"), "h:1");
  EXPECT_EQ(request.header("x-two"), "spaced");
  EXPECT_EQ(request.header("none"), "");
  EXPECT_EQ(request.body, "xyz");
  EXPECT_EQ(request.client_ip, "127.0.0.1");
  EXPECT_EQ(request.request_id, "abc.DEF-1_2");
}

TEST(Server, RequestIdIsTheClientsOnlyWhenWellFormed) {
  TestServer server;
  Client client(server.port());
  auto id_for = [&](const std::string& sent) {
    return client.ask("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: " + sent + "\r\n\r\n")
        .header("X-Request-Id");
  };
  EXPECT_EQ(id_for("trace-1"), "trace-1");
  EXPECT_EQ(id_for(std::string(128, 'a')), std::string(128, 'a'));
  EXPECT_TRUE(id_for(std::string(129, 'a')).starts_with("req_"));
  EXPECT_TRUE(id_for("a b").starts_with("req_"));
  EXPECT_TRUE(id_for("").starts_with("req_"));
}

TEST(Server, SpeaksHttp10) {
  TestServer server;
  Client closing(server.port());
  Reply reply = closing.ask("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(reply.body, "GET /a|");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(closing.at_end());

  Client keeping(server.port());
  for (int i = 0; i < 2; ++i) {
    reply = keeping.ask("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.header("Connection"), "keep-alive");
  }
}

TEST(Server, ClosesWhenAsked) {
  TestServer server;
  Client client(server.port());
  Reply reply = client.ask("GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\n");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  Client client(server.port());
  std::string sent;
  for (int i = 0; i < 2000; ++i)
    sent += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
  std::thread sender([&] { client.send(sent); });
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(client.reply().body, "POST /" + std::to_string(i) + "|ok");
  sender.join();
}

TEST(Server, ReadsByteByByte) {
  TestServer server;
  Client client(server.port());
  for (std::string body : {"3\r\nabc\r\n4;x=\"y\"\r\ndefg\r\n0\r\nT: v\r\n\r\n", "0\r\n\r\n"}) {
    std::string request =
        "\r\nPUT /slow HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
    for (char c : request) client.send(std::string_view(&c, 1));
    EXPECT_EQ(client.reply().body, body[0] == '3' ? "PUT /slow|abcdefg" : "PUT /slow|");
  }
  for (char c : std::string("PUT /s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n12345"))
    client.send(std::string_view(&c, 1));
  EXPECT_EQ(client.reply().body, "PUT /s|12345");
}

TEST(Server, ReadsAndWritesLargeBodies) {
  TestServer server;
  Client client(server.port());
  std::string body(5u << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i % 26);
  std::string head =
      "PUT /l HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  EXPECT_EQ(client.ask(head + body).body, "PUT /l|" + body);
  EXPECT_EQ(client.ask(get).body, "GET /a|");
}

TEST(Server, HeadHasLengthButNoBody) {
  TestServer server;
  Client client(server.port());
  client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n" + get);
  Reply head = client.reply("HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), "8");
  EXPECT_EQ(client.reply().body, "GET /a|");
}

TEST(Server, NoContentHasNoLength) {
  TestServer server(quiet_options(), [](Request, Responder responder) {
    responder.send({.status = 204, .content_type = "", .headers = {{"X-A", "b"}}, .body = ""});
  });
  Client client(server.port());
  for (int i = 0; i < 2; ++i) {
    Reply reply = client.ask(get);
    EXPECT_EQ(reply.status, 204);
    EXPECT_EQ(reply.header("Content-Length"), "");
    EXPECT_EQ(reply.header("Content-Type"), "");
    EXPECT_EQ(reply.header("X-A"), "b");
  }
}

TEST(Server, ContinuesWhenExpected) {
  TestServer server;
  Client client(server.port());
  std::string head =
      "PUT /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
  client.send(head);
  EXPECT_EQ(client.reply().status, 100);
  EXPECT_EQ(client.ask("body").body, "PUT /c|body");
  // One that does not wait is not told.
  EXPECT_EQ(client.ask(head + "more").body, "PUT /c|more");
}

TEST(Server, TakesAbsoluteTargetsAndStar) {
  TestServer server;
  Client client(server.port());
  EXPECT_EQ(client.ask("GET http://h:8/p?q HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /p?q|");
  EXPECT_EQ(client.ask("GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /?q|");
  EXPECT_EQ(client.ask("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").body, "OPTIONS *|");
}

TEST(Server, AnswersLaterFromAnotherThread) {
  std::promise<Responder> kept;
  ServerOptions options = quiet_options();
  options.workers = 1;
  TestServer server(options, [&](Request request, Responder responder) {
    if (request.path == "/wait") return kept.set_value(responder);
    TestServer::echo(std::move(request), responder);
  });
  Client waiting(server.port());
  waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n" + get);
  Responder responder = kept.get_future().get();
  // The only worker is free again although the first request waits.
  Client other(server.port());
  EXPECT_EQ(other.ask(get).status, 200);
  EXPECT_FALSE(responder.client_gone());
  responder.send(text(202, "later"));
  responder.send(text(500, "twice"));
  Reply reply = waiting.reply();
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(reply.body, "later");
  EXPECT_EQ(waiting.reply().body, "GET /a|");
}

TEST(Server, LostResponderIs500) {
  TestServer server(quiet_options(), [](Request, Responder) {});
  Client client(server.port());
  EXPECT_EQ(client.ask(get).status, 500);
  EXPECT_EQ(client.ask(get).body, "error: internal error");
}

TEST(Server, ThrowingHandlerIs500) {
  TestServer server(quiet_options(),
                    [](Request, Responder) { throw std::runtime_error("expected by the test"); });
  Client client(server.port());
  EXPECT_EQ(client.ask(get).status, 500);
  EXPECT_EQ(client.ask(get).status, 500);
}

TEST(Server, NoticesThatTheClientHasGone) {
  std::promise<Responder> first, second;
  TestServer server(quiet_options(), [&](Request request, Responder responder) {
    (request.path == "/reset" ? first : second).set_value(responder);
  });
  auto wait_until_gone = [](const Responder& responder) {
    while (!responder.client_gone()) std::this_thread::yield();
  };
  Client resetting(server.port());
  resetting.send("GET /reset HTTP/1.1\r\nHost: h\r\n\r\n");
  Responder responder = first.get_future().get();
  EXPECT_FALSE(responder.client_gone());
  resetting.reset();
  wait_until_gone(responder);
  responder.send(text(200, "to nobody"));

  Client closing(server.port());
  closing.send("GET /close HTTP/1.1\r\nHost: h\r\n\r\n");
  Responder other = second.get_future().get();
  closing.close();
  wait_until_gone(other);
}

TEST(Server, AnswersAClientThatOnlyStoppedSending) {
  TestServer server;
  Client client(server.port());
  client.send(get + get);
  client.shutdown_send();
  EXPECT_EQ(client.reply().status, 200);
  EXPECT_EQ(client.reply().status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST(Server, LogsRequestsWithoutTheirSecrets) {
  ServerOptions options = quiet_options();
  options.access_log = true;
  TestServer server(options);
  testing::internal::CaptureStderr();
  Client(server.port())
      .ask(
          "PUT /a%20b?token=secret1 HTTP/1.1\r\nHost: h\r\nAuthorization: secret2\r\n"
          "X-Request-Id: rid\r\nContent-Length: 7\r\n\r\nsecret3");
  server->stop(1s);
  std::string line = testing::internal::GetCapturedStderr();
  for (const char* part :
       {R"("message":"request","method":"PUT","path":"/a%20b","status":200,"duration_ms":)",
        R"("ip":"127.0.0.1","request_id":"rid"})", R"("bytes":)"})
    EXPECT_NE(line.find(part), line.npos) << line;
  EXPECT_EQ(line.find("secret"), line.npos) << line;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST(Server, NamesATakenPort) {
  TestServer server;
  ServerOptions options = quiet_options();
  options.port = server.port();
  auto second = net::Server::create(options, TestServer::echo, error_page);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::unavailable);
  EXPECT_NE(second.error().message.find("127.0.0.1:" + std::to_string(server.port())),
            std::string::npos);
}

TEST(Server, StopsGracefully) {
  std::promise<Responder> kept;
  TestServer server(quiet_options(), [&](Request request, Responder responder) {
    if (request.path == "/wait") return kept.set_value(responder);
    TestServer::echo(std::move(request), responder);
  });
  Client idle(server.port());
  EXPECT_EQ(idle.ask(get).status, 200);
  Client waiting(server.port());
  waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  Responder responder = kept.get_future().get();

  std::thread stopping([&] { server->stop(10s); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(Client(server.port()).connected());
  responder.send(text(200, "in flight"));
  Reply reply = waiting.reply();
  EXPECT_EQ(reply.body, "in flight");
  EXPECT_EQ(reply.header("Connection"), "close");
  EXPECT_TRUE(waiting.at_end());
  waiting.close();
  stopping.join();
  server->stop(10s);
}

TEST(Server, CutsWhatDoesNotDrain) {
  std::promise<Responder> kept;
  TestServer server(quiet_options(),
                    [&](Request, Responder responder) { kept.set_value(responder); });
  Client client(server.port());
  client.send(get);
  Responder responder = kept.get_future().get();
  server->stop(20ms);
  EXPECT_TRUE(responder.client_gone());
  EXPECT_TRUE(client.at_end());
  server.destroy();
  responder.send(text(200, "after the server"));
}

TEST(Server, StopsWithoutHavingStarted) {
  auto server = net::Server::create(quiet_options(), TestServer::echo, error_page);
  ASSERT_TRUE(server);
  (*server)->stop(1s);
}

TEST(Server, ServesManyThreads) {
  ServerOptions options = quiet_options();
  options.loop_threads = 2;
  options.workers = 4;
  TestServer server(options, [](Request request, Responder responder) {
    if (request.path != "/deferred") return TestServer::echo(std::move(request), responder);
    std::thread([responder] { responder.send(text(200, "deferred")); }).detach();
  });
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      for (int round = 0; round < 5; ++round) {
        Client client(server.port());
        for (int i = 0; i < 40; ++i) {
          std::string path = i % 10 == 0 ? "/deferred" : "/" + std::to_string(c * 1000 + i);
          Reply reply = client.ask("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
          EXPECT_EQ(reply.body, i % 10 == 0 ? "deferred" : "GET " + path + "|");
        }
      }
    });
  for (auto& client : clients) client.join();
}

TEST(ServerDeathTest, ResponseHeadersCannotBreakTheFraming) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  auto answer_with = [](net::Header header) {
    TestServer server(quiet_options(), [header](Request, Responder responder) {
      responder.send({.status = 200, .content_type = "", .headers = {header}, .body = ""});
    });
    Client(server.port()).ask(get);
  };
  EXPECT_DEATH(answer_with({"Location", "/a\r\nSet-Cookie: x"}), "CHECK");
  EXPECT_DEATH(answer_with({"Bad Name", "v"}), "CHECK");
  EXPECT_DEATH(answer_with({"content-LENGTH", "5"}), "CHECK");
}
