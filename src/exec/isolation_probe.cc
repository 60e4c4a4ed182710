#include "exec/isolation_probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace exec {

namespace {

bool has_capabilities() {
  __user_cap_header_struct version{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &version, held) != 0) return true;
  return std::any_of(std::begin(held), std::end(held), [](const __user_cap_data_struct& part) {
    return (part.effective | part.permitted | part.inheritable) != 0;
  });
}

bool root_is_writable() {
  struct statvfs status {};
  return ::statvfs("/", &status) != 0 || (status.f_flag & ST_RDONLY) == 0;
}

bool data_is_visible(const std::string& data_directory) {
  return ::access((data_directory + "/spawner.lock").c_str(), F_OK) == 0;
}

bool sees_others() {
  DIR* entries = ::opendir("/proc");
  if (entries == nullptr) return true;
  int processes = 0;
  while (dirent* entry = ::readdir(entries))
    processes += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
  ::closedir(entries);
  return processes > 2;  // the nest and this one
}

bool can_write_temporary() {
  int file = ::open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

struct Check {
  std::string_view text;
  bool (*holds)(const FileView& view);
};

const Check checks[] = {
    {"an attempt would keep capabilities", [](const FileView&) { return !has_capabilities(); }},
    {"an attempt could gain privileges",
     [](const FileView&) { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1; }},
    {"an attempt could write to the machine's files",
     [](const FileView&) { return !root_is_writable(); }},
    {"an attempt would see the data directory",
     [](const FileView& view) { return !data_is_visible(view.data_directory()); }},
    {"an attempt would see other processes", [](const FileView&) { return !sees_others(); }},
    {"an attempt would have no /tmp", [](const FileView&) { return can_write_temporary(); }},
};
constexpr int cannot_give_up = static_cast<int>(std::size(checks)) + 1;

int probe(const FileView& view, const Privileges& privileges, const RequestHeader& header) {
  if (!give_up(privileges, header)) return cannot_give_up;
  for (std::size_t i = 0; i < std::size(checks); ++i)
    if (!checks[i].holds(view)) return static_cast<int>(i) + 1;
  return 0;
}

}  // namespace

int run_isolation_probe(const FileView& view, const Privileges& privileges,
                        const RequestHeader& header) {
  pid_t pid = ::fork();
  if (pid == 0) ::_exit(probe(view, privileges, header));
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return cannot_give_up;
  return WEXITSTATUS(status);
}

std::string_view probe_text(int code) {
  if (code > 0 && code < cannot_give_up) return checks[code - 1].text;
  return "an attempt cannot give up its privileges";
}

}  // namespace exec
