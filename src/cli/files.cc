#include "cli/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/limits.h"

namespace cli {

namespace {

base::Result<std::string> read_all(int file, const std::string& name, std::size_t bytes_max) {
  std::string text;
  char buffer[1 << 16];
  while (true) {
    ssize_t n = read(file, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::invalid(fmt::format("{}: {}", name, std::strerror(errno)));
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > bytes_max)
      return base::invalid(fmt::format("{} is larger than {} bytes", name, bytes_max));
  }
}

}  // namespace

base::Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input", bytes_max);
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return base::invalid(fmt::format("{}: {}", path, std::strerror(errno)));
  base::Result<std::string> text = read_all(file, path, bytes_max);
  close(file);
  return text;
}

base::Result<> write_file(const std::string& path, std::string_view bytes) {
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return base::invalid(fmt::format("{}: {}", path, std::strerror(errno)));
  bool written = true;
  while (written && !bytes.empty()) {
    ssize_t n = write(file, bytes.data(), bytes.size());
    written = n > 0 || errno == EINTR;
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  base::Error error = base::internal_error(fmt::format("{}: {}", path, std::strerror(errno)));
  if (close(file) == 0 && written) return {};
  return error;
}

base::Result<std::string> argument_text(const std::string& argument) {
  if (!argument.starts_with('@')) return argument;
  std::string text = TRY(read_file(argument.substr(1), base::limits::body_bytes_max));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

base::Result<ScratchDirectory> ScratchDirectory::create() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/dagy-XXXXXX", parent && *parent ? parent : "/tmp");
  if (mkdtemp(path.data()) == nullptr)
    return base::invalid(fmt::format("TMPDIR: cannot make {}: {}", path, std::strerror(errno)));
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace cli
