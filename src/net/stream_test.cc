// Answers that go on, as their clients see them.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "net/connection.h"
#include "net/test_client.h"

using namespace net::test;
using namespace std::chrono_literals;
using net::Request;
using net::Responder;
using net::ServerOptions;
using net::Stream;

namespace {

ServerOptions options_with_quick_ticks() {
  ServerOptions options = quiet_options();
  options.header_timeout = 20ms;  // ticks are a quarter of the shortest
  return options;
}

/// A server whose every answer goes on, and is handed to the test.
class StreamServer {
 public:
  explicit StreamServer(ServerOptions options = quiet_options())
      : server_(std::move(options), [this](Request, Responder responder) {
          streams_.set_value(responder.stream(text(200, "first;"), "beat;"));
        }) {}

  Stream stream_to(Client& client, std::string_view request = get) {
    streams_ = {};
    client.send(request);
    return streams_.get_future().get();
  }
  TestServer& operator*() { return server_; }
  std::uint16_t port() const { return server_.port(); }

 private:
  std::promise<Stream> streams_;
  TestServer server_;
};

void wait_until_gone(const Stream& stream) {
  while (!stream.client_gone()) std::this_thread::yield();
}

std::string unchunked(std::string_view in) {
  std::string out;
  while (!in.empty()) {
    std::size_t size = std::stoul(std::string(in.substr(0, in.find('\r'))), nullptr, 16);
    in.remove_prefix(in.find('\n') + 1);
    out += in.substr(0, size);
    in.remove_prefix(std::min(size + 2, in.size()));
  }
  return out;
}

}  // namespace

TEST(Stream, ComesPieceByPieceAndKeepsTheConnection) {
  StreamServer server;
  Client client(server.port());
  for (int i = 0; i < 2; ++i) {
    Stream stream = server.stream_to(client);
    Reply head = client.reply("HEAD");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("Transfer-Encoding"), "chunked");
    EXPECT_EQ(head.header("Content-Length"), "");
    EXPECT_EQ(client.read_until(";\r\n"), "6\r\nfirst;\r\n");
    stream.send("");  // would end it
    stream.send("second;");
    EXPECT_EQ(client.read_until(";\r\n"), "7\r\nsecond;\r\n");
    stream.end();
    stream.send("after the end");
    EXPECT_EQ(client.read_until("\r\n\r\n"), "0\r\n\r\n");
    EXPECT_FALSE(stream.client_gone());
  }
}

TEST(Stream, EndsWithItsLastCopy) {
  StreamServer server;
  Client client(server.port());
  { Stream copy = server.stream_to(client); }
  EXPECT_TRUE(client.read_until("0\r\n\r\n").ends_with("first;\r\n0\r\n\r\n"));
}

TEST(Stream, IsTheOnlyAnswer) {
  TestServer server(quiet_options(), [](Request, Responder responder) {
    Stream stream = responder.stream(text(200, "one"), "");
    responder.send(text(500, "two"));
    responder.stream(text(200, "three"), "").send("four");
    stream.end();
  });
  Client client(server.port());
  client.send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.rest().ends_with("\r\n\r\n3\r\none\r\n0\r\n\r\n"));
}

TEST(Stream, OfAnHttp10ClientEndsWithTheConnection) {
  StreamServer server;
  Client client(server.port());
  Stream stream = server.stream_to(client, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  Reply head = client.reply("HEAD");
  EXPECT_EQ(head.header("Transfer-Encoding"), "");
  EXPECT_EQ(head.header("Content-Length"), "");
  EXPECT_EQ(head.header("Connection"), "close");
  stream.send("second;");
  EXPECT_EQ(client.read_until("second;"), "first;second;");
  stream.end();
  EXPECT_EQ(client.rest(), "");
}

TEST(Stream, OfHeadIsItsHead) {
  StreamServer server;
  Client client(server.port());
  Stream stream = server.stream_to(client, "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.reply("HEAD").status, 200);
  stream.send("to nobody");
  Stream next = server.stream_to(client);
  EXPECT_EQ(client.reply("HEAD").status, 200);
  EXPECT_EQ(client.read_until(";\r\n"), "6\r\nfirst;\r\n");
}

TEST(Stream, BeatsWhileNothingElseIsSent) {
  ServerOptions options = options_with_quick_ticks();
  options.stream_heartbeat = 20ms;
  options.write_timeout = 10s;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  client.reply("HEAD");
  EXPECT_EQ(client.read_until("beat;\r\n"), "6\r\nfirst;\r\n5\r\nbeat;\r\n");
  EXPECT_EQ(client.read_until("beat;\r\n"), "5\r\nbeat;\r\n");
}

TEST(Stream, DoesNotBeatBeforeItsTime) {
  ServerOptions options = options_with_quick_ticks();
  options.stream_heartbeat = 10min;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  // Ticks go by: a header that does not come is refused by the second of them at the earliest.
  Client late(server.port());
  EXPECT_EQ(late.ask("GET").status, 408);
  stream.end();
  EXPECT_EQ(client.read_until("0\r\n\r\n").find("beat"), std::string::npos);
}

TEST(Stream, CutsOffAClientThatReadsTooSlowly) {
  ServerOptions options = quiet_options();
  options.stream_pending_bytes_max = 256u << 10;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  const std::string piece(64u << 10, 'x');
  for (int i = 0; i < 1000 && !stream.client_gone(); ++i) stream.send(piece);  // what buffers hold
  wait_until_gone(stream);
  std::string got = client.rest();
  EXPECT_TRUE(got.starts_with("HTTP/1.1 200"));
  EXPECT_FALSE(got.ends_with("0\r\n\r\n"));
  EXPECT_LT(got.size(), 1000 * piece.size());
}

TEST(Stream, CutsOffAClientThatReadsNothing) {
  ServerOptions options = options_with_quick_ticks();
  options.write_timeout = 40ms;
  options.stream_pending_bytes_max = 1u << 30;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  const std::string piece(64u << 10, 'x');
  for (int i = 0; i < 1000; ++i) stream.send(piece);
  wait_until_gone(stream);
}

TEST(Stream, GivesALateReaderEverything) {
  ServerOptions options = options_with_quick_ticks();
  options.stream_heartbeat = 20ms;
  options.write_timeout = 1min;
  options.stream_pending_bytes_max = 1u << 30;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  std::string sent = "first;";
  for (int i = 0; i < 20'000; ++i) {
    std::string piece = std::to_string(i) + std::string(1000, 'x');
    stream.send(piece);
    sent += piece;
  }
  Client other(server.port());
  Stream beating = server.stream_to(other);
  for (int i = 0; i < 5; ++i) other.read_until("beat;\r\n");
  stream.end();
  client.reply("HEAD");
  std::string got = unchunked(client.read_until("\r\n0\r\n\r\n"));
  for (std::size_t at; (at = got.find("beat;")) != got.npos;) got.erase(at, 5);  // of a slow moment
  EXPECT_TRUE(got == sent);
}

namespace {

/// A socket that takes `room` bytes.
class FakeTransport : public net::Transport {
 public:
  void read(std::span<char> into) override { into_ = into; }
  Written write(std::string_view head, std::string_view body) override {
    std::size_t taken = std::min(room, head.size() + body.size());
    room -= taken;
    return {taken, false};
  }
  void wait_writable() override { ++waits; }
  void shutdown_send() override {}
  void close() override { is_closed = true; }

  std::size_t receive(std::string_view bytes) { return bytes.copy(into_.data(), into_.size()); }

  std::size_t room = SIZE_MAX;
  int waits = 0;
  bool is_closed = false;

 private:
  std::span<char> into_;
};

}  // namespace

// The time of a write begins with it, and is not what was left until the next heartbeat.
TEST(Stream, HasTheWholeWriteTimeoutWhenTheClientIsSlow) {
  ServerOptions options = quiet_options();
  net::ErrorPage page = error_page;
  net::WorkerPool pool(1, 1, TestServer::echo, page);
  net::BodyTotal body_total = 0;
  net::LoopContext loop{
      .options = options, .error_page = page, .pool = pool, .body_total = body_total};
  loop.outbox = std::make_shared<net::Outbox>([] {});
  FakeTransport transport;
  auto connection = std::make_shared<net::Connection>(loop, transport, "127.0.0.1");
  connection->start(connection);
  connection->on_read(transport.receive(get));
  connection->on_answer(1, net::StreamHead{text(200, "first;"), "beat;"});
  transport.room = 0;
  auto now = loop.clock.steady();
  connection->on_answer(1, net::StreamPiece{"second;"});
  ASSERT_EQ(transport.waits, 1);
  connection->on_tick(now + options.write_timeout - 1s);
  EXPECT_FALSE(transport.is_closed);
  connection->on_tick(now + options.write_timeout + 1s);
  EXPECT_TRUE(transport.is_closed);
}

TEST(Stream, NoticesThatTheClientHasGone) {
  StreamServer server;
  for (auto leave :
       {+[](Client& client) { client.reset(); }, +[](Client& client) { client.close(); },
        +[](Client& client) { client.shutdown_send(); }}) {
    Client client(server.port());
    Stream stream = server.stream_to(client);
    client.read_until("first;\r\n");
    EXPECT_FALSE(stream.client_gone());
    leave(client);
    wait_until_gone(stream);
    stream.send("to nobody");
  }
}

TEST(Stream, OfAClientThatHasGoneAlreadyIsNone) {
  std::promise<Responder> kept;
  TestServer server(quiet_options(),
                    [&](Request, Responder responder) { kept.set_value(responder); });
  Client client(server.port());
  client.send(get);
  Responder responder = kept.get_future().get();
  client.shutdown_send();
  while (!responder.client_gone()) std::this_thread::yield();
  Stream stream = responder.stream(text(200, "first;"), "");
  EXPECT_TRUE(stream.client_gone());
  Reply reply = client.reply();
  EXPECT_EQ(reply.body, "first;");
  EXPECT_TRUE(client.at_end());
}

TEST(Stream, IsEndedInOrderWhenTheServerStops) {
  StreamServer server;
  Client chunked(server.port());
  Stream first = server.stream_to(chunked);
  chunked.read_until("first;\r\n");
  Client plain(server.port());
  Stream second = server.stream_to(plain, "GET /a HTTP/1.0\r\n\r\n");
  plain.read_until("first;");
  std::thread stopping([&] { (*server)->stop(1min); });
  EXPECT_EQ(chunked.rest(), "0\r\n\r\n");
  EXPECT_EQ(plain.rest(), "");
  chunked.close();
  plain.close();
  stopping.join();
  first.send("after the server");
}

TEST(Stream, IsCutWhenItsClientDoesNotDrain) {
  ServerOptions options = quiet_options();
  options.stream_pending_bytes_max = 1u << 30;
  StreamServer server(options);
  Client client(server.port());
  Stream stream = server.stream_to(client);
  for (int i = 0; i < 1000; ++i) stream.send(std::string(64u << 10, 'x'));
  (*server)->stop(20ms);
  EXPECT_TRUE(stream.client_gone());
  EXPECT_FALSE(client.rest().ends_with("0\r\n\r\n"));
  (*server).destroy();
  stream.send("after the server");
  stream.end();
}
