#include "store/zip.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <zip.h>

#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "base/limits.h"
#include "base/utf8.h"
#include "store/file.h"

namespace store {

namespace {

namespace limits = base::limits;

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;
using ArchiveFile = std::unique_ptr<zip_file_t, decltype(&zip_fclose)>;

struct Entry {
  zip_uint64_t index = 0;
  std::string name;  // without the '/' at the end of a directory's
  bool is_directory = false;
  std::uint64_t bytes = 0;  // as it says
};

base::Error broken(std::string_view name, std::string_view rule) {
  return base::invalid(fmt::format("entry '{}' {}", base::utf8_prefix(name, 200), rule));
}

base::Result<> check_name(std::string_view name) {
  if (name.size() > limits::artifact_path_bytes_max)
    return broken(name, fmt::format("has a name above {} bytes", limits::artifact_path_bytes_max));
  if (!base::is_utf8(name)) return base::invalid("has an entry whose name is not UTF-8");
  if (name.starts_with('/')) return broken(name, "is absolute");
  for (char c : name) {
    if (c == '\\') return broken(name, "has a backslash in its name");
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
      return base::invalid("has an entry with a control character in its name");
  }
  while (true) {
    std::string_view part = name.substr(0, name.find('/'));
    if (part.empty() || part == "." || part == "..")
      return broken(name, "leads elsewhere: '..', '.' or nothing between slashes");
    if (part.size() == name.size()) return {};
    name.remove_prefix(part.size() + 1);
  }
}

// What the entry says about itself; its size is not believed before it is seen.
base::Result<> read_kind(zip_t* archive, Entry& entry) {
  zip_uint8_t system = 0;
  zip_uint32_t attributes = 0;
  zip_file_get_external_attributes(archive, entry.index, 0, &system, &attributes);
  mode_t kind = (attributes >> 16) & S_IFMT;
  if (kind != 0 && kind != S_IFREG && kind != S_IFDIR)
    return broken(entry.name, "is a link or a device");
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(archive, entry.index, 0, &status) != 0)
    return broken(entry.name, "cannot be read");
  if ((status.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && status.encryption_method != ZIP_EM_NONE)
    return broken(entry.name, "is encrypted");
  if (status.comp_method != ZIP_CM_STORE && status.comp_method != ZIP_CM_DEFLATE)
    return broken(entry.name, "is neither stored nor deflated");
  entry.bytes = status.size;
  return {};
}

// No name stands twice, and no file in the place of a directory.
base::Result<> check_places(const std::vector<Entry>& entries) {
  std::set<std::string_view> names;
  std::set<std::string_view> files;
  for (const Entry& entry : entries) {
    if (!names.insert(entry.name).second) return broken(entry.name, "stands twice");
    if (!entry.is_directory) files.insert(entry.name);
  }
  for (const Entry& entry : entries) {
    std::string_view name = entry.name;
    for (std::size_t at = name.find('/'); at != name.npos; at = name.find('/', at + 1))
      if (files.contains(name.substr(0, at))) return broken(name, "is below a file");
  }
  return {};
}

base::Result<std::vector<Entry>> read_entries(zip_t* archive) {
  zip_int64_t count = zip_get_num_entries(archive, 0);
  if (std::cmp_greater(count, limits::artifact_entries_max))
    return base::invalid(fmt::format("has more than {} entries", limits::artifact_entries_max));
  std::vector<Entry> entries;
  for (zip_int64_t i = 0; i < count; ++i) {
    Entry entry{static_cast<zip_uint64_t>(i)};
    const char* name = zip_get_name(archive, entry.index, ZIP_FL_ENC_GUESS);
    if (name == nullptr) return base::invalid("has an entry without a readable name");
    entry.name = name;
    entry.is_directory = entry.name.size() > 1 && entry.name.ends_with('/');
    if (entry.is_directory) entry.name.pop_back();
    TRY(check_name(entry.name));
    TRY(read_kind(archive, entry));
    entries.push_back(std::move(entry));
  }
  TRY(check_places(entries));
  return entries;
}

class Unpacking {
 public:
  Unpacking(zip_t* archive, std::uint64_t packed_bytes, const std::string& directory)
      : archive_(archive), directory_(directory) {
    auto usual = packed_bytes * limits::artifact_ratio_max + limits::artifact_ratio_free_bytes;
    bytes_max_ = std::min(usual, limits::artifact_unpacked_bytes_max);
  }

  base::Result<> take(const Entry& entry) {
    for (std::size_t at = entry.name.find('/'); at != std::string::npos;
         at = entry.name.find('/', at + 1))
      TRY(make_directory(entry.name.substr(0, at)));
    return entry.is_directory ? make_directory(entry.name) : write_file(entry);
  }

 private:
  base::Result<> make_directory(const std::string& name) {
    std::string path = directory_ + '/' + name;
    if (mkdir(path.c_str(), 0755) == 0 && chmod(path.c_str(), 0755) == 0) return {};
    if (errno == EEXIST) return {};
    return failure(name, path);
  }

  base::Result<> write_file(const Entry& entry) {
    ArchiveFile from(zip_fopen_index(archive_, entry.index, 0), zip_fclose);
    if (!from) return broken(entry.name, "cannot be read");
    std::string path = directory_ + '/' + entry.name;
    File to(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!to) return failure(entry.name, path);
    fchmod(to.get(), 0644);
    std::uint64_t bytes_before = bytes_;
    while (true) {
      zip_int64_t n = zip_fread(from.get(), buffer_.data(), buffer_.size());
      bool is_whole = n == 0 && bytes_ - bytes_before == entry.bytes;
      if (is_whole) return {};
      if (n <= 0) return broken(entry.name, "is damaged");
      bytes_ += static_cast<std::uint64_t>(n);
      if (bytes_ > bytes_max_)
        return base::invalid(fmt::format("unpacks to more than {} bytes", bytes_max_));
      TRY(write_all(to, {buffer_.data(), static_cast<std::size_t>(n)}, path));
    }
  }

  static base::Error failure(std::string_view name, const std::string& path) {
    if (errno == ENAMETOOLONG) return broken(name, "has a name that is too long for a file");
    return file_error("cannot make", path);
  }

  zip_t* archive_;
  const std::string& directory_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
};

}  // namespace

base::Result<> unpack_zip(const File& zip, const std::string& directory) {
  struct stat status {};
  if (fstat(zip.get(), &status) != 0) return file_error("cannot read", "a ZIP file");
  int error = 0;
  int own = fcntl(zip.get(), F_DUPFD_CLOEXEC, 0);
  Archive archive(zip_fdopen(own, ZIP_CHECKCONS, &error), zip_discard);
  if (!archive) {
    close(own);
    return base::invalid("is not a sound ZIP file");
  }
  std::vector<Entry> entries = TRY(read_entries(archive.get()));
  Unpacking unpacking(archive.get(), static_cast<std::uint64_t>(status.st_size), directory);
  for (const Entry& entry : entries) TRY(unpacking.take(entry));
  return {};
}

}  // namespace store
