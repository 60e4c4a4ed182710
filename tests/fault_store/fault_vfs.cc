#include "fault_store/fault_vfs.h"

#include <sqlite3.h>

#include "base/check.h"

namespace faults {

namespace {

using Call = FaultVfs::Call;

sqlite3_vfs* machine = nullptr;  // the VFS that does the work

struct File {
  sqlite3_file base;  // the machine's file follows in memory
};

sqlite3_file* real(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

bool fails(Call call) {
  return FaultVfs::instance().fails(call);
}

int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 at) {
  if (fails(Call::read)) return SQLITE_IOERR_READ;
  return real(file)->pMethods->xRead(real(file), to, bytes, at);
}

int write(sqlite3_file* file, const void* from, int bytes, sqlite3_int64 at) {
  auto* methods = real(file)->pMethods;
  if (!fails(Call::write)) return methods->xWrite(real(file), from, bytes, at);
  switch (FaultVfs::instance().fault()) {
    case VfsFault::disk_full:
      return SQLITE_FULL;
    case VfsFault::torn_write:
      (void)methods->xWrite(real(file), from, bytes / 2, at);
      return SQLITE_IOERR_WRITE;
    case VfsFault::unheard_write:
      (void)methods->xWrite(real(file), from, bytes, at);
      return SQLITE_IOERR_WRITE;
    default:
      return SQLITE_IOERR_WRITE;
  }
}

int sync(sqlite3_file*, int) {
  return fails(Call::sync) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (fails(Call::other)) return SQLITE_IOERR_TRUNCATE;
  return real(file)->pMethods->xTruncate(real(file), size);
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  if (fails(Call::other)) return SQLITE_IOERR_FSTAT;
  return real(file)->pMethods->xFileSize(real(file), size);
}

int lock(sqlite3_file* file, int level) {
  if (fails(Call::other)) return SQLITE_IOERR_LOCK;
  return real(file)->pMethods->xLock(real(file), level);
}

int shm_map(sqlite3_file* file, int page, int bytes, int extend, void volatile** memory) {
  if (fails(Call::other)) return SQLITE_IOERR_SHMMAP;
  return real(file)->pMethods->xShmMap(real(file), page, bytes, extend, memory);
}

// A lock that is given up cannot fail.
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  if ((flags & SQLITE_SHM_LOCK) != 0 && fails(Call::other)) return SQLITE_IOERR_SHMLOCK;
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

// What is only passed on.
template <auto Method>
struct PassOn;
template <class R, class... A, R (*sqlite3_io_methods::*Method)(sqlite3_file*, A...)>
struct PassOn<Method> {
  static R call(sqlite3_file* file, A... arguments) {
    return (real(file)->pMethods->*Method)(real(file), arguments...);
  }
};

const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = PassOn<&sqlite3_io_methods::xClose>::call,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = PassOn<&sqlite3_io_methods::xUnlock>::call,
    .xCheckReservedLock = PassOn<&sqlite3_io_methods::xCheckReservedLock>::call,
    .xFileControl = PassOn<&sqlite3_io_methods::xFileControl>::call,
    .xSectorSize = PassOn<&sqlite3_io_methods::xSectorSize>::call,
    .xDeviceCharacteristics = PassOn<&sqlite3_io_methods::xDeviceCharacteristics>::call,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = PassOn<&sqlite3_io_methods::xShmBarrier>::call,
    .xShmUnmap = PassOn<&sqlite3_io_methods::xShmUnmap>::call,
};

int open(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  file->pMethods = nullptr;
  if (fails(Call::other)) return SQLITE_CANTOPEN;
  int code = machine->xOpen(machine, path, real(file), flags, flags_out);
  if (real(file)->pMethods != nullptr) file->pMethods = &methods;
  return code;
}

int remove(sqlite3_vfs*, const char* path, int sync_directory) {
  if (fails(Call::other)) return SQLITE_IOERR_DELETE;
  return machine->xDelete(machine, path, sync_directory);
}

}  // namespace

std::string name_of(VfsFault fault) {
  switch (fault) {
    case VfsFault::io_error:
      return "io_error";
    case VfsFault::disk_full:
      return "disk_full";
    case VfsFault::torn_write:
      return "torn_write";
    case VfsFault::unheard_write:
      return "unheard_write";
    case VfsFault::failed_sync:
      return "failed_sync";
  }
  return {};
}

FaultVfs& FaultVfs::instance() {
  static FaultVfs vfs;
  return vfs;
}

FaultVfs::FaultVfs() {
  machine = sqlite3_vfs_find(nullptr);
  static sqlite3_vfs shim = *machine;
  shim.zName = "faults";
  shim.szOsFile = static_cast<int>(sizeof(File)) + machine->szOsFile;
  shim.xOpen = open;
  shim.xDelete = remove;
  CHECK(sqlite3_vfs_register(&shim, /*makeDflt=*/1) == SQLITE_OK);
}

void FaultVfs::arm(VfsFault fault, int first, int last) {
  fault_ = fault;
  first_ = first;
  last_ = last;
  calls_ = failed_ = syncs_ = 0;
}

void FaultVfs::disarm() {
  first_ = last_ = 0;
}

bool FaultVfs::fails(Call call) {
  if (call == Call::sync) ++syncs_;
  bool counts = fault_ == VfsFault::failed_sync ? call == Call::sync
                : fault_ == VfsFault::io_error  ? call != Call::sync
                                                : call == Call::write;
  if (!counts) return false;
  int number = ++calls_;
  bool fails = number >= first_ && number <= last_;
  if (fails) ++failed_;
  return fails;
}

}  // namespace faults
