// A SQLite VFS for tests: passes every call on to the machine's own and fails those it is told to.
// It is the default of the program it is linked into, so the store under test knows nothing of it.
#pragma once

#include <atomic>
#include <string>

namespace faults {

enum class VfsFault {
  io_error,       // any call but sync
  disk_full,      // writes
  torn_write,     // writes: the first half reaches the disk, then an error
  unheard_write,  // writes: all of it reaches the disk, and an error is told
  failed_sync,    // syncs
};

std::string name_of(VfsFault fault);

/// One for the program. Calls that `fault` may fail are counted from 1; those from `first` to
/// `last` fail. Syncs that do not fail do nothing: nobody here takes the power away.
class FaultVfs {
 public:
  static FaultVfs& instance();  // registers it the first time
  void arm(VfsFault fault, int first, int last);
  void disarm();
  int calls() const { return calls_; }
  int failed() const { return failed_; }
  int syncs() const { return syncs_; }

  // Of the VFS's own functions.
  enum class Call { read, write, sync, other };
  bool fails(Call call);
  VfsFault fault() const { return fault_; }

 private:
  FaultVfs();

  std::atomic<VfsFault> fault_{VfsFault::io_error};
  std::atomic<int> first_{0};
  std::atomic<int> last_{0};
  std::atomic<int> calls_{0};
  std::atomic<int> failed_{0};
  std::atomic<int> syncs_{0};
};

}  // namespace faults
