#include "model/cel/search.h"

#include <string.h>  // memmem

#include <string>

namespace model::cel {

std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t begin) {
  if (begin > text.size()) return std::string_view::npos;
  std::string_view rest = text.substr(begin);
  const void* found = memmem(rest.data(), rest.size(), wanted.data(), wanted.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

std::size_t find_last_text(std::string_view text, std::string_view wanted, std::size_t begin) {
  std::string_view window = text.substr(0, begin + wanted.size());
  std::string backwards(window.rbegin(), window.rend());
  std::string wanted_backwards(wanted.rbegin(), wanted.rend());
  std::size_t found = find_text(backwards, wanted_backwards);
  if (found == std::string_view::npos) return found;
  return window.size() - found - wanted.size();
}

}  // namespace model::cel
