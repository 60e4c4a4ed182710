// What a nest does all its life: takes requests from a socket, runs their attempts, reports.
#pragma once

#include "exec/attempt_table.h"
#include "exec/file_view.h"
#include "exec/warm_interpreter.h"

namespace exec {

class AttemptLoop {
 public:
  /// `view` is where the run's directories are mounted; null where attempts see everything.
  AttemptLoop(int socket, const FileView* view, AttemptTable::Options options);
  /// Until the other end of the socket is gone, or an attempt has left something behind.
  void run();

 private:
  bool on_request();
  void handle(Request request);
  void start(Request& request);
  void start_interpreter(Request request);
  ViewFailure place_mounts(Request& request) const;
  void end(RequestKind kind, ProcessId id);
  void probe(const Request& request);
  bool is_over();
  void on_child_death();
  bool send_reports();
  bool is_clean() const;

  const int socket_;
  const FileView* const view_;
  const Privileges privileges_;
  base::SystemClock clock_;
  UniqueFd signals_;
  AttemptTable table_;
  std::optional<WarmInterpreter> warm_;
  PacketReader reader_;
  const std::size_t private_entries_;  // of its private directories, from the beginning
  bool used_ = false;                  // an attempt has ended here
};

}  // namespace exec
