// A small HTTP/1.1 client for the load: keep-alive connections, one request at a time on each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

struct Answer {
  int status = 0;
  std::string body;
};

class Connection {
 public:
  explicit Connection(std::uint16_t port);
  ~Connection();
  Connection(Connection&& other) noexcept;

  void send(std::string_view request);
  /// Reads what has come; true when the answer is whole.
  bool receive(Answer& answer);
  Answer exchange(std::string_view request);
  int descriptor() const { return socket_; }

 private:
  int socket_;
  std::string buffer_;
};

/// A whole request; `token` may be empty.
std::string make_request(std::string_view method, std::string_view path, std::string_view token,
                         std::string_view body);

/// Sends `request` `count` times over `width` connections; returns the seconds it took. Ends the
/// program if an answer is not `status`.
double load(std::uint16_t port, const std::string& request, int count, int width, int status);

}  // namespace bench
