// Counts fsync and fdatasync of the process it is preloaded into, in a file shared with the bench,
// and makes them slow when that asks for it.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

struct Shared {
  std::atomic<std::uint64_t> count;
  std::atomic<std::uint64_t> milliseconds;  // that each takes longer
};

Shared* shared() {
  static Shared* page = [] {
    const char* path = std::getenv("BENCH_FSYNC_FILE");
    int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return static_cast<Shared*>(nullptr);
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
  }();
  return page;
}

int counted(const char* name, int file) {
  if (Shared* page = shared()) {
    page->count.fetch_add(1, std::memory_order_relaxed);
    if (std::uint64_t ms = page->milliseconds) usleep(static_cast<useconds_t>(ms * 1000));
  }
  using Function = int (*)(int);
  auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
  return real(file);
}

}  // namespace

extern "C" int fsync(int file) {
  return counted("fsync", file);
}
extern "C" int fdatasync(int file) {
  return counted("fdatasync", file);
}
