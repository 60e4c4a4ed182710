// A server without its outside: the real shard on the store it is given, attempts that end at once,
// and one client that follows a script. What the client was promised is kept in `Told`.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "model/test_catalog.h"
#include "runtime/shard.h"
#include "store/test_store.h"

namespace faults {

using base::RunId;

/// What the client was told. Plain data: it may lie in memory shared with a process that dies.
struct Told {
  enum Run { keyed, waited, cancelled, runs };  // the runs of the script
  bool registered = false;
  RunId run[runs] = {};  // none: not acknowledged
  bool approved = false;
  bool cancel_obeyed = false;
  bool ended = false;  // nothing lives any more
  int errors = 0;      // answers that were errors
};

/// Attempts end as soon as they are asked for; those of the task "retried" fail the first time.
class PromptExecutor : public runtime::Executor {
 public:
  explicit PromptExecutor(base::Clock& clock) : clock_(clock) {}
  void start(runtime::AttemptStart start) override;
  void stop(RunId, model::TaskIndex, int) override {}
  void compute(runtime::ComputeStart start) override;
  void collect(runtime::ChildEnd) override {}
  void finished(RunId) override {}
  std::vector<runtime::Message> take() { return std::exchange(messages_, {}); }

 private:
  base::Clock& clock_;
  std::vector<runtime::Message> messages_;
};

class ScriptedServer {
 public:
  ScriptedServer(store::Store& store, store::StillClock& clock, Told& told);

  /// Recovers and follows the script as far as the store lets it; an error is recovery's.
  base::Result<> play();

 private:
  bool register_flow();
  bool create(Told::Run run);
  bool approve(RunId run, bool* told);
  bool cancel(RunId run);
  void approve_what_nobody_knows();
  void go_on(const std::function<bool()>& until);
  void step(std::vector<runtime::Message> commands = {});
  bool waits_for_person(RunId run) const;
  bool repeat(const std::function<bool()>& request);

  store::Store& store_;
  store::StillClock& clock_;
  Told& told_;
  PromptExecutor executor_;
  runtime::Shard shard_;
  std::shared_ptr<const model::Plan> plan_;
};

/// Opens the file, carries everything to its end, and checks it against what was told.
void check_promises(const std::string& path, const Told& told);

}  // namespace faults
