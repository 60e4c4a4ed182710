// For tests: everything of a running server but HTTP, in a directory: a store on a file, processes
// without isolation, the run loop. The test program is its own spawner (test_main_test.cc).
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/test_directory.h"
#include "nodes/catalog.h"
#include "runtime/attempts.h"
#include "runtime/new_run.h"
#include "runtime/run_feed.h"
#include "store/flows.h"
#include "store/runs.h"

namespace runtime {

class Machine {
 public:
  explicit Machine(const base::TemporaryDirectory& directory)
      : store(*store::open_sqlite({directory.file("dagy.db")}, clock)),
        objects(directory.file("objects")),
        plans(*store, nodes::catalog()),
        evaluator(*store, objects, plans, clock),
        sealer(*auth::Sealer::open(directory.file("master.key"), random)),
        connections(*store, sealer, {}),
        artifacts(directory.file("artifacts"), *store, objects),
        attempts(host(directory.path()),
                 std::make_unique<net::HttpClient>(net::HttpClientOptions{}), evaluator,
                 connections, objects, artifacts, clock, {directory.file("work"), {}}),
        shard(*store, attempts, clock, nodes::catalog(), {}),
        loop(shard, clock) {
    attempts.report_to(loop);
    shard.observe(feed);
  }
  ~Machine() { stop(); }

  void start() {
    ASSERT_TRUE(shard.recover());
    loop.start();
  }
  /// As the server stops: the loop first, then what still runs.
  void stop() {
    loop.stop();
    attempts.shut_down();
  }

  void add_flow(const std::string& name, const std::string& spec) {
    ASSERT_TRUE(store->write([&](store::Tx& tx) -> base::Result<> {
      store::FlowVersionRow row{.org_id = "org", .flow_name = name, .spec = spec, .identity = name};
      TRY(store::register_flow(tx, row, "flow_" + name));
      return {};
    }));
  }
  CreateRun new_run(const std::string& flow) {
    CreateRun message;
    message.plan = *plans.runnable("org", flow, std::nullopt);
    message.run.org_id = "org";
    message.run.trigger_type = "manual";
    auto none = *base::JsonDocument::parse("{}");
    EXPECT_TRUE(prepare_run(message.run, *message.plan, none->root(), objects));
    return message;
  }
  store::RunRow row_of(base::RunId run) {
    store::RunRow row;
    EXPECT_TRUE(store->read([&](store::Tx& tx) -> base::Result<> {
      row = TRY(store::find_run_row(tx, "org", run));
      return {};
    }));
    return row;
  }

  base::SystemClock clock;
  std::unique_ptr<store::Store> store;
  store::ObjectDirectory objects;
  PlanCache plans;
  Evaluator evaluator;
  base::SystemRandom random;
  auth::Sealer sealer;
  Connections connections;
  store::ArtifactFiles artifacts;
  Attempts attempts;
  Shard shard;
  RunFeed feed;
  RunLoop loop;

 private:
  std::unique_ptr<exec::ProcessHost> host(const std::string& directory) {
    return *exec::ProcessHost::create(
        {.spawner_path = std::filesystem::read_symlink("/proc/self/exe"),
         .data_directory = directory,
         .isolate = false},
        clock);
  }
};

}  // namespace runtime
