// Counts fsync and fdatasync of the process it is preloaded into, in a file shared with the bench.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace {

std::atomic<std::uint64_t>* counter() {
  static std::atomic<std::uint64_t>* shared = [] {
    const char* path = std::getenv("BENCH_FSYNC_FILE");
    int file = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return static_cast<std::atomic<std::uint64_t>*>(nullptr);
    void* page = mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return page == MAP_FAILED ? nullptr : static_cast<std::atomic<std::uint64_t>*>(page);
  }();
  return shared;
}

int counted(const char* name, int file) {
  if (auto* shared = counter()) shared->fetch_add(1, std::memory_order_relaxed);
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
