#include "app/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <thread>

#include "app/database.h"
#include "app/listening.h"
#include "app/process_host.h"
#include "app/running.h"
#include "app/stand_by.h"
#include "base/log.h"
#include "exec/process.h"

namespace app {

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void announce(const std::optional<NewOwner>& owner, const Settings& settings, std::uint16_t port) {
  if (owner) fmt::print("Owner: {}\n", owner->email);
  if (owner && owner->one_time_password)
    fmt::print("One-time password: {}\n", *owner->one_time_password);
  fmt::print("Dagy {} is ready at {}\n", DAGY_VERSION, own_url(settings, port));
  std::fflush(stdout);
}

// Ends the process when a second signal comes while the first is being obeyed.
void watch_for_second_signal() {
  std::thread([] {
    sigset_t signals = stop_signals();
    int signal = 0;
    sigwait(&signals, &signal);
    base::log_warning("second signal: stopping at once");
    _exit(128 + signal);
  }).detach();
}

// What it had begun, another node begins again; its own spawner ends it here.
void end_as_taken_over() {
  base::log_error("another node has taken over this one's runs, the process ends");
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

base::Result<> serve(Settings settings) {
  sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread, so that all inherit it
  signal(SIGPIPE, SIG_IGN);
  drop_secrets_from_environment();
  for (const std::string& name : unknown_variables())
    base::log_warning("unknown variable is ignored", {{"name", name}});
  // What this process holds in memory is not for others of its user to read.
  prctl(PR_SET_DUMPABLE, 0);
  base::SystemClock clock;
  base::SystemRandom random;
  auto http = TRY(make_http_client(settings));
  auto proxies = TRY(trusted_proxies(settings));
  TRY(server_options(settings));  // what is wrong with them is said before anything is begun
  DataDirectory directory = TRY(DataDirectory::open(settings.data_dir));
  std::unique_ptr<store::Store> store = TRY(open_database(settings, clock, end_as_taken_over));
  store::Membership* membership = store->membership();
  if (membership && !TRY(wait_for_turn(*membership, settings, directory, signals))) return {};
  auto sealer = TRY(open_sealer(settings, directory, *store, random));
  auto signed_urls = TRY(auth::SignedUrls::open(*store, clock, random));
  auto host = TRY(start_process_host(settings, directory, clock));
  auto running = std::make_unique<Running>(
      settings, directory, *store, std::move(host), std::move(http), std::move(proxies), sealer,
      std::move(signed_urls), TRY(allowed_directories(settings)), clock);
  std::optional<NewOwner> owner = TRY(running->start());
  announce(owner, settings, running->port());
  int signal = 0;
  sigwait(&signals, &signal);
  base::log_info("stopping", {{"signal", signal}});
  watch_for_second_signal();
  running->drain();
  running.reset();
  if (membership) membership->release();
  base::log_info("stopped");
  return {};
}

}  // namespace app
