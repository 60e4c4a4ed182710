#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/clock.h"

namespace bench {

Connection::Connection(std::uint16_t port)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::Connection(Connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

Connection::~Connection() {
  if (socket_ >= 0) close(socket_);
}

void Connection::send(std::string_view request) {
  while (!request.empty()) {
    ssize_t n = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
    CHECK(n > 0);
    request.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Connection::receive(Answer& answer) {
  char bytes[64 * 1024];
  ssize_t n = recv(socket_, bytes, sizeof bytes, 0);
  CHECK(n > 0);
  buffer_.append(bytes, static_cast<std::size_t>(n));
  std::size_t head = buffer_.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  constexpr std::string_view name = "Content-Length: ";
  std::size_t at = buffer_.find(name);
  std::size_t length = 0;
  if (at != std::string::npos && at < head)
    std::from_chars(buffer_.data() + at + name.size(), buffer_.data() + head, length);
  if (buffer_.size() < head + 4 + length) return false;
  answer.status = std::atoi(buffer_.c_str() + sizeof "HTTP/1.1");
  answer.body = buffer_.substr(head + 4, length);
  buffer_.erase(0, head + 4 + length);
  return true;
}

Answer Connection::exchange(std::string_view request) {
  send(request);
  Answer answer;
  while (!receive(answer)) {
  }
  return answer;
}

std::string make_request(std::string_view method, std::string_view path, std::string_view token,
                         std::string_view body) {
  std::string request = std::string(method) + ' ' + std::string(path) + " HTTP/1.1\r\nHost: b\r\n";
  if (!token.empty()) request += "Authorization: Bearer " + std::string(token) + "\r\n";
  if (!body.empty()) request += "Content-Type: application/json\r\n";
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return request + std::string(body);
}

double load(std::uint16_t port, const std::string& request, int count, int width, int status) {
  base::SystemClock clock;
  std::vector<Connection> connections;
  int poller = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < width; ++i) {
    connections.emplace_back(port);
    epoll_event event{.events = EPOLLIN, .data = {.u32 = static_cast<std::uint32_t>(i)}};
    epoll_ctl(poller, EPOLL_CTL_ADD, connections.back().descriptor(), &event);
  }
  base::SteadyTime start = clock.steady();
  int sent = 0;
  for (Connection& connection : connections)
    if (sent < count) connection.send(request), ++sent;
  std::vector<epoll_event> events(static_cast<std::size_t>(width));
  for (int done = 0; done < count;) {
    int n = epoll_wait(poller, events.data(), width, -1);
    for (int i = 0; i < n; ++i) {
      Connection& connection = connections[events[static_cast<std::size_t>(i)].data.u32];
      Answer answer;
      if (!connection.receive(answer)) continue;
      if (answer.status != status) {
        std::fprintf(stderr, "answer %d: %s\n", answer.status, answer.body.c_str());
        std::exit(1);
      }
      ++done;
      if (sent < count) connection.send(request), ++sent;
    }
  }
  close(poller);
  return std::chrono::duration<double>(clock.steady() - start).count();
}

}  // namespace bench
