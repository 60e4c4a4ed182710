#include "auth/sealing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>

#include "base/base64.h"
#include "base/check.h"

namespace auth {

namespace {

constexpr std::string_view version = "v1.";  // before the base64 of nonce and ciphertext
constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::string_view key_mark = "this database's master key";

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

base::Result<std::string> read_key(const std::string& path) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return base::invalid(fmt::format("{}: {}", path, std::strerror(errno)));
  struct stat status {};
  char text[256];
  ssize_t size = read(file, text, sizeof text);
  fstat(file, &status);
  close(file);
  if ((status.st_mode & 077) != 0)
    return base::invalid(path + " can be read by others: chmod 600 it");
  std::string_view line(text, size < 0 ? 0 : static_cast<std::size_t>(size));
  while (line.ends_with('\n')) line.remove_suffix(1);
  auto key = base::decode_base64(line);
  if (!key || key->size() != 32) return base::invalid(path + " must hold 32 bytes in base64");
  return std::move(*key);
}

// Written whole and synced under another name first: a key that is used is never lost.
base::Result<> make_key(const std::string& path, base::Random& random) {
  std::string key(32, '\0');
  random.fill(std::as_writable_bytes(std::span(key)));
  std::string text = base::encode_base64(key) + '\n';
  std::string draft = path + ".new";
  int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written =
      file >= 0 && write(file, text.data(), text.size()) == std::ssize(text) && fsync(file) == 0;
  if (file >= 0) close(file);
  if (!written || rename(draft.c_str(), path.c_str()) != 0)
    return base::unavailable(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
  std::string directory = path.substr(0, path.rfind('/') + 1);
  int parent = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (parent >= 0) {
    fsync(parent);
    close(parent);
  }
  return {};
}

}  // namespace

base::Result<Sealer> Sealer::open(const std::string& key_file, base::Random& random) {
  if (access(key_file.c_str(), F_OK) != 0) TRY(make_key(key_file, random));
  std::string text = TRY(read_key(key_file));
  std::array<unsigned char, key_bytes> key{};
  std::memcpy(key.data(), text.data(), key.size());
  sodium_memzero(text.data(), text.size());
  return Sealer(key, random);
}

std::string Sealer::seal(std::string_view plain, std::string_view context) const {
  std::string out(nonce_bytes, '\0');
  random_->fill(std::as_writable_bytes(std::span(out)));
  out.resize(nonce_bytes + plain.size() + crypto_aead_xchacha20poly1305_ietf_ABYTES);
  auto* bytes = reinterpret_cast<unsigned char*>(out.data());
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + nonce_bytes, nullptr, octets(plain),
                                             plain.size(), octets(context), context.size(), nullptr,
                                             bytes, key_.data());
  return std::string(version) + base::encode_base64(out);
}

base::Result<std::string> Sealer::unseal(std::string_view sealed, std::string_view context) const {
  auto damaged = [] {
    return base::internal_error("a sealed value cannot be opened: another master key, or damage");
  };
  if (!sealed.starts_with(version)) return damaged();
  auto bytes = base::decode_base64(sealed.substr(version.size()));
  constexpr std::size_t overhead = nonce_bytes + crypto_aead_xchacha20poly1305_ietf_ABYTES;
  if (!bytes || bytes->size() < overhead) return damaged();
  std::string plain(bytes->size() - overhead, '\0');
  int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr,
      octets(*bytes) + nonce_bytes, bytes->size() - nonce_bytes, octets(context), context.size(),
      octets(*bytes), key_.data());
  if (failed != 0) return damaged();
  return plain;
}

base::Result<bool> Sealer::is_marked(store::Tx& tx) const {
  std::string mark;
  TRY(tx.run("SELECT sealed FROM master_keys", {},
             [&](const store::Row& row) { mark = row.string(0); }));
  if (!mark.empty() && !unseal(mark, ""))
    return base::conflict(
        "the master key is not the one that this database's passwords are sealed with: "
        "DAGY_MASTER_KEY_FILE");
  return !mark.empty();
}

base::Result<> Sealer::check_key(store::Tx& tx) const {
  TRY(is_marked(tx));
  return {};
}

base::Result<> Sealer::mark_key(store::Tx& tx) const {
  if (TRY(is_marked(tx))) return {};
  TRY(tx.run("INSERT INTO master_keys (sealed) VALUES (?1)", {seal(key_mark, "")}));
  return {};
}

}  // namespace auth
