#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "http_client.h"
#include "workloads.h"

namespace bench {

namespace {

constexpr double goal_ms = 50;
constexpr int rounds_min = 500;
constexpr int slow_rounds = 2000;

// A burden is a task that runs meanwhile, or nothing.
struct Burden {
  std::string_view name;
  std::string_view flow;
  std::string_view command;
};
constexpr Burden burdens[] = {
    {"idle", "", ""},
    {"a task prints 1 GB", "prints", "head -c 740000000 /dev/urandom | base64"},
    {"lines of 50 MB", "lines",
     "for i in 1 2 3 4; do head -c 50000000 /dev/zero | tr '\\\\0' x; echo; done; echo 1"},
    {"children are left", "children", "for i in $(seq 200); do setsid sleep 600 & done; sleep 1"},
};

class Answers {
 public:
  explicit Answers(ServerProcess& server) : server_(server), connection_(server.port()) {
    add_flow("noop", R"("type":"noop")");
    watched_ = post_run("noop");
  }

  void add_flow(std::string_view name, std::string_view task) {
    std::string body = fmt::format(
        R"({{"flow_spec":{{"name":"answers_{}","tasks":[{{"id":"t",{}}}]}}}})", name, task);
    CHECK(exchange("POST", "/flows", body).status == 201);
  }

  std::string post_run(std::string_view name) {
    Answer answer = exchange("POST", "/runs", fmt::format(R"({{"flow_name":"answers_{}"}})", name));
    CHECK(answer.status == 202);
    return text_after(answer.body, R"("run_id":")");
  }

  // The first status of the answer is the run's own.
  std::string status_of(const std::string& run) {
    std::string body = exchange("GET", "/runs/" + run, "").body;
    return text_after(body, R"("status":")");
  }

  void measure_reads() {
    timed(run_ms_, [&] { return exchange("GET", "/runs/" + watched_, "").status == 200; });
    timed(health_ms_, [&] { return exchange("GET", "/health", "").status == 200; });
  }
  void measure_writes() {
    timed(post_ms_, [&] { return !post_run("noop").empty(); });
  }

  Row row(std::string_view burden) {
    double run = p99(run_ms_), health = p99(health_ms_), post = p99(post_ms_);
    double worst = std::max({run, health, post});
    std::string measured = fmt::format("{:.1f}, {:.1f}", run, health);
    if (post > 0) measured += fmt::format(", {:.1f}", post);
    return {fmt::format("A  {}, p99", burden), measured + " ms", "50 ms", worst / goal_ms};
  }

  void measure(const Burden& burden, std::vector<Row>& rows) {
    std::string run;
    if (!burden.flow.empty()) {
      add_flow(burden.flow,
               fmt::format(R"("type":"shell","config":{{"command":"{}"}})", burden.command));
      run = post_run(burden.flow);
    }
    auto goes_on = [&] {
      return !run.empty() && (status_of(run) == "QUEUED" || status_of(run) == "RUNNING");
    };
    for (int i = 0; i < rounds_min || goes_on(); ++i) {
      measure_reads();
      measure_writes();
    }
    CHECK(run.empty() || status_of(run) == "SUCCEEDED");
    rows.push_back(row(burden.name));
  }

 private:
  Answer exchange(std::string_view method, const std::string& path, std::string_view body) {
    return connection_.exchange(make_request(method, path, server_.token(), body));
  }

  template <class Call>
  void timed(std::vector<double>& times, Call call) {
    base::SteadyTime start = clock_.steady();
    CHECK(call());
    times.push_back(std::chrono::duration<double, std::milli>(clock_.steady() - start).count());
  }

  static std::string text_after(const std::string& body, std::string_view mark) {
    std::size_t at = body.find(mark);
    CHECK(at != std::string::npos);
    at += mark.size();
    return body.substr(at, body.find('"', at) - at);
  }

  static double p99(std::vector<double>& times) {
    std::vector<double> sorted = std::exchange(times, {});
    if (sorted.empty()) return 0;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<std::size_t>(0.99 * double(sorted.size() - 1))];
  }

  ServerProcess& server_;
  Connection connection_;
  base::SystemClock clock_;
  std::string watched_;
  std::vector<double> run_ms_, health_ms_, post_ms_;
};

}  // namespace

std::vector<Row> run_answers(ServerProcess& server) {
  std::vector<Row> rows;
  Answers answers(server);
  for (const Burden& burden : burdens) answers.measure(burden, rows);
  {
    std::unique_ptr<Held> reader = server.database().hold_reader();
    answers.measure({"a reader is held", "", ""}, rows);
  }
  constexpr std::string_view slow = "a sync takes 1 s (reads)";
  if (!server.database().is_inside()) {  // the server itself syncs nothing
    rows.push_back(absent_row(fmt::format("A  {}, p99", slow)));
    return rows;
  }
  server.slow_syncs(std::chrono::milliseconds(1000));
  answers.post_run("noop");
  for (int i = 0; i < slow_rounds; ++i) answers.measure_reads();
  rows.push_back(answers.row(slow));
  server.slow_syncs(std::chrono::milliseconds(0));
  return rows;
}

}  // namespace bench
