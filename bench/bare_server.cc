// `bare_server BODY_FILE`: the HTTP library of the server and nothing else; answers every request
// with the bytes of the file, as JSON. Prints its port, and ends with its parent.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "net/server.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::ifstream file(argv[1], std::ios::binary);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  net::ServerOptions options;
  options.port = 0;
  options.access_log = true;  // as the real one
  auto server = net::Server::create(
      options,
      [&](net::Request, net::Responder responder) {
        responder.send({.status = 200, .body = body});
      },
      [](int status, std::string_view) { return net::Response{.status = status}; });
  if (!server) return 1;
  (*server)->start();
  fmt::print("{}\n", (*server)->port());
  std::fflush(stdout);
  for (;;) pause();
}
