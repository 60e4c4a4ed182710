// Regular expressions in RE2's syntax: time linear in the text, bounded memory.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "model/cel/budget.h"

namespace re2 {
class RE2;
}

namespace model::cel {

class Regex {
 public:
  /// Error `invalid` for a pattern that is wrong or too large.
  static base::Result<std::shared_ptr<const Regex>> compile(std::string_view pattern);
  explicit Regex(std::unique_ptr<const re2::RE2> compiled);
  ~Regex();

  /// Whether any part of the text matches. Thread-safe.
  base::Result<bool> matches(std::string_view text, Budget& budget) const;

 private:
  std::unique_ptr<const re2::RE2> compiled_;
};

}  // namespace model::cel
