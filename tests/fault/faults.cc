// Preloaded into a server (LD_PRELOAD): counts its syncs, makes them slow, ends the process at one
// of them, and sets its wall clock. Ruled by a page of numbers that it shares with
// tests/fault/faults.py.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

namespace {

using Number = std::atomic<std::int64_t>;

// The order of faults.py.
struct Page {
  Number syncs;               // so far; the test sets it back
  Number kill_before;         // the sync with this number; 0: none
  Number kill_after;          // likewise
  Number fail;                // likewise: it is told to have failed
  Number sync_milliseconds;   // how much longer a sync takes
  Number clock_microseconds;  // how far the wall clock is off
};

Page* page() {
  static Page* shared = [] {
    const char* path = std::getenv("FAULTS_PAGE");
    int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void* memory = file < 0
                       ? MAP_FAILED
                       : mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) abort();
    close(file);
    return static_cast<Page*>(memory);
  }();
  return shared;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

int sync(const char* name, int file) {
  Page& faults = *page();
  std::int64_t number = ++faults.syncs;
  if (number == faults.kill_before) kill(getpid(), SIGKILL);
  timespec time{faults.sync_milliseconds / 1000, faults.sync_milliseconds % 1000 * 1'000'000};
  nanosleep(&time, nullptr);
  if (number == faults.fail) {
    errno = EIO;
    return -1;
  }
  int result = next<int (*)(int)>(name)(file);
  if (number == faults.kill_after) kill(getpid(), SIGKILL);
  return result;
}

}  // namespace

extern "C" int fsync(int file) {
  return sync("fsync", file);
}

extern "C" int fdatasync(int file) {
  return sync("fdatasync", file);
}

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto real = next<int (*)(clockid_t, timespec*)>("clock_gettime");
  int result = real(clock, time);
  if (result != 0 || clock != CLOCK_REALTIME) return result;
  std::int64_t microseconds = page()->clock_microseconds + time->tv_nsec / 1000;
  std::int64_t seconds = microseconds / 1'000'000 - (microseconds % 1'000'000 < 0);
  time->tv_nsec = (microseconds - seconds * 1'000'000) * 1000 + time->tv_nsec % 1000;
  time->tv_sec += seconds;
  return 0;
}
