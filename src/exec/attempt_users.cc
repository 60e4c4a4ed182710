#include "exec/attempt_users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>

#include "base/ids.h"
#include "exec/unique_fd.h"

namespace exec {

namespace {

// Above what distributions and container managers hand out, below the sign bit.
constexpr std::uint32_t range_first = 0x7000'0000;
constexpr std::uint32_t range_count = 1u << 24;
constexpr std::uint32_t range_count_min = 1024;  // of a container's ids

int write_file(const std::string& path, std::string_view text) {
  UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

}  // namespace

AttemptUsers AttemptUsers::detect() {
  AttemptUsers users;
  users.own_ = ::geteuid();
  if (users.own_ != 0) return users;
  std::ifstream map("/proc/self/uid_map");
  std::uint32_t inside = 0, outside = 0, count = 0;
  while (map >> inside >> outside >> count) {
    std::uint64_t end = std::uint64_t{inside} + count;
    if (inside <= range_first && end >= std::uint64_t{range_first} + range_count) {
      users.first_ = range_first;
      users.count_ = range_count;
      return users;
    }
    // In a container: the upper half of the largest extent.
    if (count / 2 >= range_count_min && count / 2 > users.count_) {
      users.count_ = std::min(count / 2, range_count);
      users.first_ = static_cast<std::uint32_t>(end - users.count_);
    }
  }
  return users;
}

std::uint32_t AttemptUsers::id_of(std::string_view organization) const {
  if (!has_range()) return own_;
  std::string digest = base::sha256_hex(organization);
  std::uint64_t number = 0;
  constexpr int digits = 12;
  std::from_chars(digest.data(), digest.data() + digits, number, 16);
  return first_ + static_cast<std::uint32_t>(number % count_);
}

int AttemptUsers::write_maps(pid_t pid) const {
  std::string map = fmt::format("{0} {0} 1\n", own_);
  if (has_range()) {
    map += fmt::format("{0} {0} {1}\n", first_, count_);
  } else if (int error = write_file(fmt::format("/proc/{}/setgroups", pid), "deny")) {
    return error;
  }
  if (int error = write_file(fmt::format("/proc/{}/uid_map", pid), map)) return error;
  if (!has_range()) map = fmt::format("{0} {0} 1\n", ::getegid());
  return write_file(fmt::format("/proc/{}/gid_map", pid), map);
}

namespace {

int enter() {
  std::string uid_map = fmt::format("{0} {0} 1\n", ::geteuid());
  std::string gid_map = fmt::format("{0} {0} 1\n", ::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return errno;
  if (int error = write_file("/proc/self/setgroups", "deny")) return error;
  if (int error = write_file("/proc/self/uid_map", uid_map)) return error;
  return write_file("/proc/self/gid_map", gid_map);
}

}  // namespace

int enter_own_namespaces() {
  // What may not be dumped belongs to root in /proc, its maps too.
  ::prctl(PR_SET_DUMPABLE, 1);
  // A child tries first: who has gone half of the way cannot go back.
  int status = 0;
  pid_t child = ::fork();
  if (child == 0) ::_exit(enter());
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  int error = child < 0 ? errno : WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
  if (error == 0) error = enter();
  ::prctl(PR_SET_DUMPABLE, 0);
  return error;
}

}  // namespace exec
