// sql: one statement on a connection of the organization, with bound parameters, in a process of
// its own (clients/sql.h).
#include "clients/sql.h"

#include "base/json.h"
#include "base/limits.h"
#include "nodes/node.h"

namespace nodes {

namespace {

struct SqlConfig {
  std::string connection;
  std::string statement;
  std::vector<base::RawJson> parameters;
  std::optional<clients::Fetch> fetch;
  static const base::Fields& fields() {
    using S = SqlConfig;
    using base::field;
    static const base::Fields fields(
        "SqlConfig",
        {field<&S::connection>("connection", "its name").required().rule(base::name_rule),
         field<&S::statement>("statement",
                              "one statement, as it is; its parameters are $1, $2, … (PostgreSQL) "
                              "or ?1, ?2, … (SQLite)")
             .required()
             .length(1, base::limits::sql_statement_bytes_max),
         field<&S::parameters>("parameters", "values of the statement's parameters, in their order")
             .length(0, base::limits::sql_parameters_max),
         field<&S::fetch>("fetch",
                          "all: a list of rows; one: the first row or null; value: the first value "
                          "of it; none: the number of rows changed; rows or that number when "
                          "absent")});
    return fields;
  }
};

void check(base::JsonView config, const base::Path& path, base::FieldErrors& errors) {
  SqlConfig parsed;
  SqlConfig::fields().read(config, &parsed, path, errors);
}

base::Result<Prepared> prepare(const NodeContext& context) {
  auto document = TRY(base::JsonDocument::parse(context.config));
  auto config = TRY(base::read_struct<SqlConfig>(document->root()));
  clients::SqlTask task;
  task.access = TRY(context.connection(config.connection));
  task.statement = std::move(config.statement);
  task.parameters = std::move(config.parameters);
  task.fetch = config.fetch;
  Prepared prepared;
  prepared.process = sql_process(task);
  prepared.process.environment = base_environment(context);
  prepared.process.working_directory = context.working_directory;
  return prepared;
}

Outcome result(const exec::ProcessEnd& end, std::optional<std::string_view>) {
  return sql_result(end);
}

constexpr std::string_view verbatim[] = {"statement"};

}  // namespace

exec::ProcessSpec sql_process(const clients::SqlTask& task) {
  exec::ProcessSpec process;
  process.argv = {"/proc/self/exe", "sql-task"};  // of the spawner: this program
  process.stdin_data = base::write_struct(task);
  process.result_channel = true;
  return process;
}

Outcome sql_result(const exec::ProcessEnd& end) {
  auto document = base::JsonDocument::parse(end.result);
  if (!document) return Outcome::fail("invalid_result", "the process ended without a result");
  base::JsonView root = (*document)->root();
  if (auto error = root.find("error"))
    return Outcome::fail(error->find("kind")->string(), error->find("message")->string());
  return Outcome::success(std::string(root.find("result")->raw()));
}

extern const NodeType sql;
const NodeType sql{{"sql", "One SQL statement on a connection", /*needs_slot=*/true,
                    SqlConfig::fields, check, model::NodeKind::attempt, verbatim},
                   prepare,
                   result};

}  // namespace nodes
