#include "runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "http_client.h"

namespace bench {

namespace {

std::string run_request(const ServerProcess& server, std::string_view flow) {
  return make_request("POST", "/runs", server.token(),
                      fmt::format(R"({{"flow_name":"{}","wait_seconds":60}})", flow));
}

}  // namespace

double at(const std::vector<double>& sorted, double part) {
  return sorted[static_cast<std::size_t>(part * double(sorted.size() - 1))];
}

void Runs::add_flow(std::string_view name, int count, std::string_view task, bool chain) {
  std::string tasks;
  for (int i = 0; i < count; ++i) {
    if (i > 0) tasks += ',';
    tasks += fmt::format(R"({{"id":"t{}",{})", i, task);
    if (chain && i > 0) tasks += fmt::format(R"(,"depends_on":["t{}"])", i - 1);
    tasks += '}';
  }
  std::string body = fmt::format(
      R"({{"flow_spec":{{"name":"{}","max_parallel":10000,"tasks":[{}]}}}})", name, tasks);
  Connection connection(server_.port());
  CHECK(connection.exchange(make_request("POST", "/flows", server_.token(), body)).status == 201);
}

std::vector<double> Runs::one_at_a_time(std::string_view flow, int count) {
  return timed(run_request(server_, flow), count);
}

std::vector<double> Runs::reads(std::string_view path, int count) {
  return timed(make_request("GET", path, server_.token(), ""), count);
}

std::vector<double> Runs::timed(const std::string& request, int count) {
  Connection connection(server_.port());
  base::SystemClock clock;
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    base::SteadyTime start = clock.steady();
    CHECK(connection.exchange(request).status == 200);
    times.push_back(std::chrono::duration<double, std::milli>(clock.steady() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

std::string Runs::finished(std::string_view flow) {
  Answer answer = Connection(server_.port()).exchange(run_request(server_, flow));
  CHECK(answer.status == 200);
  constexpr std::string_view mark = R"("run_id":")";
  std::size_t begin = answer.body.find(mark) + mark.size();
  return answer.body.substr(begin, answer.body.find('"', begin) - begin);
}

double Runs::at_once(std::string_view flow, int count, int width) {
  return count / load(server_.port(), run_request(server_, flow), count, width, 200);
}

}  // namespace bench
