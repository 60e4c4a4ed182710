#include "model/cel/regex.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "base/limits.h"

namespace model::cel {

base::Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern) {
  if (pattern.size() > base::limits::regex_bytes_max)
    return base::invalid(
        fmt::format("a pattern has at most {} bytes", base::limits::regex_bytes_max));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(base::limits::regex_memory_bytes_max);
  auto compiled =
      std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  if (!compiled->ok())
    return base::invalid(fmt::format("no regular expression: {}", compiled->error()));
  return std::make_shared<const Regex>(std::move(compiled));
}

Regex::Regex(std::unique_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
Regex::~Regex() = default;

base::Result<bool> Regex::matches(std::string_view text, Budget& budget) const {
  // At worst every byte meets every instruction.
  auto instructions = static_cast<std::size_t>(compiled_->ProgramSize());
  TRY(budget.use_steps(text.size() * instructions / 1024));
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace model::cel
