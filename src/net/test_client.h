// For tests only: a client of raw sockets, and a server with small limits to run it against.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "net/server.h"

namespace net::test {

struct Reply {
  int status = 0;  // 0: the connection ended before an answer
  std::string head;
  std::string body;

  /// Value of the header written "name: ", or "" .
  std::string header(std::string_view name) const {
    std::size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == head.npos) return "";
    at += name.size() + 4;
    return head.substr(at, head.find("\r\n", at) - at);
  }
};

class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval patience{10, 0};  // a hanging server fails the test instead of the run
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Sends until the socket has been full for a moment; the bytes that went.
  std::size_t send_what_fits(std::string_view bytes) {
    timeval moment{0, 200'000};
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof moment);
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    return sent;
  }
  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Closes with RST.
  void reset() {
    linger abort{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
    close();
  }

  /// One answer; of HEAD no body is read.
  Reply reply(std::string_view method = "GET") {
    Reply out;
    std::size_t end;
    while ((end = in_.find("\r\n\r\n")) == in_.npos)
      if (!fill()) return out;
    out.head = in_.substr(0, end + 2);
    in_.erase(0, end + 4);
    out.status = std::stoi(out.head.substr(9, 3));
    std::string length = out.header("Content-Length");
    std::size_t size = length.empty() || method == "HEAD" ? 0 : std::stoul(length);
    while (in_.size() < size)
      if (!fill()) return {};
    out.body = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  Reply ask(std::string_view bytes) {
    send(bytes);
    return reply();
  }
  /// What comes up to and with `text`; all there was when the connection ends before.
  std::string read_until(std::string_view text) {
    std::size_t at;
    while ((at = in_.find(text)) == in_.npos)
      if (!fill()) return std::exchange(in_, {});
    std::string out = in_.substr(0, at + text.size());
    in_.erase(0, out.size());
    return out;
  }
  /// Everything up to the end of the connection.
  std::string rest() {
    while (fill()) {
    }
    return std::exchange(in_, {});
  }
  /// True when the server closed in order (no RST) and nothing was left to read.
  bool at_end() {
    if (!in_.empty()) return false;
    char byte;
    return ::recv(fd_, &byte, 1, 0) == 0;
  }

 private:
  bool fill() {
    char buffer[65536];
    ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    in_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  int fd_;
  bool connected_ = false;
  std::string in_;
};

inline Response text(int status, std::string body) {
  return {.status = status, .content_type = "text/plain", .headers = {}, .body = std::move(body)};
}

inline Response error_page(int status, std::string_view message) {
  return text(status, "error: " + std::string(message));
}

inline ServerOptions quiet_options() {
  ServerOptions options;
  options.port = 0;
  options.workers = 2;
  options.access_log = false;
  return options;
}

/// A started server; `method path?query|body` is what its usual handler answers.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = quiet_options(), Handler handler = echo) {
    auto created = Server::create(std::move(options), std::move(handler), error_page);
    EXPECT_TRUE(created) << created.error().message;
    server_ = std::move(created).value();
    server_->start();
  }

  std::uint16_t port() const { return server_->port(); }
  Server& operator*() { return *server_; }
  Server* operator->() { return server_.get(); }
  void destroy() { server_.reset(); }

  static void echo(Request request, Responder responder) {
    std::string line = request.method + " " + request.path;
    if (!request.query.empty()) line += "?" + request.query;
    responder.send(text(200, line + "|" + request.body));
  }

 private:
  std::unique_ptr<Server> server_;
};

inline const std::string get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

}  // namespace net::test
