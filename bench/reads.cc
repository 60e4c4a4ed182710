// How many reads of a run the server answers, against a bare server of the same HTTP library that
// sends the same bytes.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "http_client.h"
#include "runs.h"
#include "workloads.h"

namespace bench {

namespace {

constexpr int requests = 100'000;
constexpr int width = 64;
constexpr int passes = 3;  // in turn; the best of each counts
constexpr double share_min = 0.5;

// Ends with this process.
class BareServer {
 public:
  explicit BareServer(const std::string& body_file) {
    std::string program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bare_server";
    FILE* pipe = popen(fmt::format("exec '{}' '{}' 2>/dev/null", program, body_file).c_str(), "r");
    CHECK(pipe != nullptr);
    int port = 0;
    CHECK(std::fscanf(pipe, "%d", &port) == 1);
    port_ = static_cast<std::uint16_t>(port);
  }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_ = 0;
};

}  // namespace

std::vector<Row> run_reads(ServerProcess& server) {
  Runs runs(server);
  runs.add_flow("read", 3, noop, true);
  std::string run_id = runs.finished("read");
  std::string request = make_request("GET", "/runs/" + run_id, server.token(), "");
  std::string body = Connection(server.port()).exchange(request).body;
  std::string body_file =
      std::filesystem::temp_directory_path() / fmt::format("dagy-bench-{}", getpid());
  std::ofstream(body_file, std::ios::binary) << body;
  BareServer bare(body_file);
  double ours = 0, theirs = 0;
  for (int pass = 0; pass < passes; ++pass) {
    ours = std::max(ours, requests / load(server.port(), request, requests, width, 200));
    theirs = std::max(theirs, requests / load(bare.port(), request, requests, width, 200));
  }
  std::filesystem::remove(body_file);
  return {rate_row(fmt::format("R  GET /runs/{{id}} ({} bytes), 64 at a time", body.size()),
                   "{:.0f} /s", ours, theirs * share_min),
          row("   a bare server of the same library", "{:.0f} /s", theirs)};
}

}  // namespace bench
