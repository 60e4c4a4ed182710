#include "base/ids.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <vector>

namespace base {

namespace {

constexpr std::string_view crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::int64_t ms_2020 = 1'577'836'800'000;
constexpr int counter_bits = 12;
constexpr int node_bits = 10;
constexpr std::size_t run_id_digits = 13;

std::int64_t milliseconds(Timestamp t) {
  return std::chrono::floor<std::chrono::milliseconds>(t).time_since_epoch().count();
}

// The lowest `digits` * 5 bits of value, most significant first.
void append_base32(std::string& out, std::uint64_t value, std::size_t digits) {
  for (std::size_t i = digits; i-- > 0;) out += crockford[(value >> (5 * i)) & 31];
}

constexpr std::array<std::string_view, 32> adjectives = {
    "amber", "ample", "bold",  "brave", "brisk", "calm",  "clear", "crisp",
    "deft",  "eager", "early", "fair",  "fleet", "fond",  "fresh", "glad",
    "grand", "keen",  "kind",  "light", "lucid", "merry", "mild",  "neat",
    "noble", "proud", "quick", "quiet", "sharp", "swift", "vivid", "wise"};
constexpr std::array<std::string_view, 32> nouns = {
    "badger", "beaver", "bison", "crane", "curlew", "deer",  "dove", "eagle",
    "falcon", "finch",  "fox",   "gull",  "hare",   "heron", "ibex", "jay",
    "kite",   "lark",   "lynx",  "mole",  "newt",   "otter", "owl",  "panda",
    "plover", "raven",  "robin", "seal",  "stork",  "tern",  "vole", "wren"};

}  // namespace

std::string new_id(std::string_view prefix, Timestamp now, Random& random) {
  std::string id(prefix);
  id += '_';
  append_base32(id, static_cast<std::uint64_t>(milliseconds(now)), 10);
  append_base32(id, static_cast<std::uint64_t>(to_us(now) % 1000), 2);
  append_base32(id, random.next_u64(), 6);
  append_base32(id, random.next_u64(), 8);
  return id;
}

std::string to_string(RunId id) {
  std::string text = "run_";
  append_base32(text, static_cast<std::uint64_t>(id), run_id_digits);
  return text;
}

std::optional<RunId> parse_run_id(std::string_view text) {
  if (!text.starts_with("run_") || text.size() != 4 + run_id_digits) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text.substr(4)) {
    std::size_t digit = crockford.find(c);
    if (digit == std::string_view::npos || (value >> 59) != 0) return std::nullopt;
    value = value << 5 | digit;
  }
  if (value >> 63) return std::nullopt;
  return RunId(static_cast<std::int64_t>(value));
}

Timestamp created_at(RunId id) {
  auto ms = (static_cast<std::int64_t>(id) >> (node_bits + counter_bits)) + ms_2020;
  return Timestamp(std::chrono::milliseconds(ms));
}

RunId RunIdSource::next(Timestamp now) {
  std::int64_t ms = milliseconds(now) - ms_2020;
  if (ms > last_ms_) {
    last_ms_ = ms;
    counter_ = 0;
  } else if (++counter_ == 1 << counter_bits) {
    ++last_ms_;  // borrow from the next millisecond rather than wait
    counter_ = 0;
  }
  return RunId((last_ms_ << node_bits | node_) << counter_bits | counter_);
}

void RunIdSource::advance_past(RunId id) {
  last_ms_ = std::max(last_ms_, (static_cast<std::int64_t>(id) >> (node_bits + counter_bits)) + 1);
}

std::string run_slug(RunId id) {
  std::uint64_t mixed = SeededRandom(static_cast<std::uint64_t>(id)).next();
  return fmt::format("{}-{}-{:04x}", adjectives[mixed % adjectives.size()],
                     nouns[(mixed >> 8) % nouns.size()], mixed >> 48);
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  std::string hex(hash.size() * 2 + 1, '\0');
  sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
  hex.pop_back();
  return hex;
}

std::string random_token(Random& random, std::size_t count) {
  std::vector<std::byte> bytes(count);
  random.fill(bytes);
  constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string text(sodium_base64_encoded_len(count, variant), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<unsigned char*>(bytes.data()), count,
                    variant);
  text.pop_back();
  return text;
}

}  // namespace base
