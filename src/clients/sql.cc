#include "clients/sql.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <set>

#include "base/limits.h"

namespace clients {

using base::field;
using base::Fields;
namespace limits = base::limits;

std::span<const base::EnumName> enum_names(DatabaseType) {
  static constexpr std::array<base::EnumName, 2> names{
      {{int(DatabaseType::postgresql), "postgresql"}, {int(DatabaseType::sqlite), "sqlite"}}};
  return names;
}

std::span<const base::EnumName> enum_names(Fetch) {
  static constexpr std::array<base::EnumName, 4> names{{{int(Fetch::all), "all"},
                                                        {int(Fetch::one), "one"},
                                                        {int(Fetch::value), "value"},
                                                        {int(Fetch::none), "none"}}};
  return names;
}

const Fields& DatabaseAccess::fields() {
  using S = DatabaseAccess;
  static const Fields fields(
      "DatabaseAccess",
      {field<&S::type>("type", "").required(), field<&S::host>("host", ""),
       field<&S::port>("port", ""), field<&S::database>("database", ""),
       field<&S::user>("user", ""), field<&S::password>("password", ""),
       field<&S::sslmode>("sslmode", ""), field<&S::path>("path", ""),
       field<&S::read_only>("read_only", ""), field<&S::http_allow>("http_allow", ""),
       field<&S::allowed_paths>("allowed_paths", ""),
       field<&S::data_directory>("data_directory", "")});
  return fields;
}

const Fields& SqlTask::fields() {
  using S = SqlTask;
  static const Fields fields(
      "SqlTask",
      {field<&S::access>("access", "").required(), field<&S::statement>("statement", "").required(),
       field<&S::parameters>("parameters", ""), field<&S::fetch>("fetch", "")});
  return fields;
}

bool RowSink::begin(std::vector<std::string> columns) {
  std::set<std::string_view> names;
  for (const std::string& column : columns)
    if (!names.insert(column).second)
      fault_ = fmt::format("two columns are named {}: tell them apart with AS", column);
  if (columns.empty()) fault_ = "the rows have no columns";
  columns_ = std::move(columns);
  return fault_.empty();
}

bool RowSink::row(const std::vector<std::string>& values) {
  if (fetch_ == Fetch::none) return false;
  bool wants_one = fetch_ == Fetch::one || fetch_ == Fetch::value;
  if (count_ > 0 && wants_one) return false;
  if (++count_ > static_cast<std::int64_t>(limits::sql_rows_max) ||
      rows_.size() > limits::value_bytes_max) {
    too_large_ = true;
    return false;
  }
  if (count_ == 1) first_ = values.front();
  if (count_ > 1) rows_ += ',';
  base::JsonWriter out(rows_);
  out.begin_object();
  for (std::size_t i = 0; i < columns_.size(); ++i) out.key(columns_[i]).raw(values[i]);
  out.end_object();
  return true;
}

std::string RowSink::output() const {
  bool has_rows = !columns_.empty();
  if (fetch_ == Fetch::none || (!fetch_ && !has_rows))
    return fmt::format(R"({{"rows_affected":{}}})", affected_);
  if (fetch_ == Fetch::one) return count_ == 0 ? "null" : rows_;
  if (fetch_ == Fetch::value) return count_ == 0 ? "null" : first_;
  return '[' + rows_ + ']';
}

base::Result<std::string> allowed_file(const DatabaseAccess& access) {
  namespace fs = std::filesystem;
  const std::string& path = access.path;
  auto refused = [&](const std::string& why) {
    return base::invalid("/path: " + why, {{"/path", why}});
  };
  if (access.allowed_paths.empty())
    return refused("this server allows no directories: DAGY_ALLOWED_PATHS");
  if (!path.starts_with('/')) return refused("must be an absolute path");
  std::error_code error;
  fs::path whole = fs::weakly_canonical(path, error);
  if (error || !whole.has_filename() || !fs::is_directory(whole.parent_path(), error))
    return refused("its directory does not exist");
  auto is_below = [&](const fs::path& root) {
    auto [at, unused] = std::mismatch(root.begin(), root.end(), whole.begin(), whole.end());
    return at == root.end() && whole != root;
  };
  if (!access.data_directory.empty() && is_below(access.data_directory))
    return refused("is in the server's own data directory");
  for (const std::string& directory : access.allowed_paths)
    if (is_below(directory)) return whole.string();
  return refused("is not in a directory of DAGY_ALLOWED_PATHS");
}

namespace {

std::string answer(const std::optional<SqlFailure>& failure, const RowSink& rows) {
  std::string text;
  base::JsonWriter out(text);
  out.begin_object();
  if (failure) {
    out.key("error").begin_object().member("kind", failure->kind);
    out.member("message", failure->message).end_object();
  } else {
    out.key("result").raw(rows.output());
  }
  out.end_object();
  return text;
}

bool write_whole(int descriptor, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = write(descriptor, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

base::Result<SqlTask> read_task() {
  std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  auto document = TRY(base::JsonDocument::parse(std::move(text)));
  return base::read_struct<SqlTask>(document->root());
}

}  // namespace

int run_sql_task() {
  constexpr int result_channel = 3;
  base::Result<SqlTask> task = read_task();
  if (!task) {
    fmt::print(stderr, "sql-task: {}\n", task.error().message);
    return 2;
  }
  RowSink rows(task->fetch);
  bool is_postgresql = task->access.type == DatabaseType::postgresql;
  std::optional<SqlFailure> failure =
      is_postgresql ? run_on_postgresql(*task, rows) : run_on_sqlite(*task, rows);
  if (!failure && !rows.fault().empty()) failure = SqlFailure{"sql", rows.fault()};
  if (!failure && rows.is_too_large())
    failure =
        SqlFailure{"result_too_large", fmt::format("more than {} rows, or {} bytes",
                                                   limits::sql_rows_max, limits::value_bytes_max)};
  if (!write_whole(result_channel, answer(failure, rows))) return 1;
  return failure ? 1 : 0;
}

}  // namespace clients
