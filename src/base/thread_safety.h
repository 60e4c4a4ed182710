// Mutex, MutexLock and CondVar that clang's -Wthread-safety can follow, and its annotations.
// A member guarded by a mutex says so: `int size_ GUARDED_BY(mutex_);`
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define DAGY_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define DAGY_THREAD_ATTRIBUTE(x)
#endif

#define CAPABILITY(x) DAGY_THREAD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY DAGY_THREAD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) DAGY_THREAD_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) DAGY_THREAD_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) DAGY_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) DAGY_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) DAGY_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) DAGY_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))

namespace base {

class CondVar;

/// std::mutex with annotations.
class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope. `unlock` and `lock` let go of it in between.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() {
    if (held_) mutex_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() RELEASE() {
    held_ = false;
    mutex_.unlock();
  }
  void lock() ACQUIRE() {
    mutex_.lock();
    held_ = true;
  }

 private:
  Mutex& mutex_;
  bool held_ = true;
};

/// A condition variable over Mutex. Wakes may be spurious: wait in a loop over the condition, which
/// also keeps the guarded reads where the analysis sees them.
class CondVar {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// False when `deadline` passed first.
  template <class Clock, class Duration>
  bool wait_until(Mutex& mutex, std::chrono::time_point<Clock, Duration> deadline) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    bool in_time = condition_.wait_until(lock, deadline) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  /// False when `duration` passed first.
  template <class Rep, class Period>
  bool wait_for(Mutex& mutex, std::chrono::duration<Rep, Period> duration) REQUIRES(mutex) {
    std::unique_lock lock(mutex.mutex_, std::adopt_lock);
    bool in_time = condition_.wait_for(lock, duration) == std::cv_status::no_timeout;
    lock.release();
    return in_time;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace base
