#include "engine/fingerprint.h"

#include <algorithm>
#include <cctype>

#include "base/ids.h"

namespace engine {

namespace {

constexpr std::size_t compared_bytes_max = 1024;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// With a digit in it a word is a number, or an id when it is long; short ones keep their letters,
// so that "utf8" and "http2" stay.
void append_word(std::string& out, std::string_view word) {
  bool has_digit = std::any_of(word.begin(), word.end(), is_digit);
  bool is_number = std::all_of(word.begin(), word.end(),
                               [](char c) { return is_digit(c) || c == '-' || c == '_'; });
  if (has_digit && (is_number || word.size() >= 8)) {
    out += '#';
    return;
  }
  out += word;
}

}  // namespace

std::string without_particulars(std::string_view message) {
  message = message.substr(0, compared_bytes_max);
  std::string out;
  while (!message.empty()) {
    auto end = std::find_if_not(message.begin(), message.end(), is_word);
    append_word(out, message.substr(0, std::size_t(end - message.begin())));
    message.remove_prefix(std::size_t(end - message.begin()));
    if (message.empty()) break;
    out += message.front();
    message.remove_prefix(1);
  }
  return out;
}

std::string fingerprint(std::string_view flow_name, std::string_view task_id,
                        const model::Failure& failure) {
  std::string text;
  for (std::string_view part : {flow_name, task_id, std::string_view(failure.kind)}) {
    text += part;
    text += '\0';
  }
  return base::sha256_hex(text + without_particulars(failure.message)).substr(0, 16);
}

}  // namespace engine
