// A statement on a PostgreSQL database.
#include <fmt/format.h>
#include <netdb.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "clients/sql.h"
#include "net/outbound_policy.h"
#include "store/libpq.h"

namespace clients {

namespace {

using store::pq;
using Session = std::unique_ptr<PGconn, void (*)(PGconn*)>;
using Answer = std::unique_ptr<PGresult, void (*)(PGresult*)>;

// pg_type.dat of PostgreSQL
enum : Oid {
  bool_type = 16,
  bytea_type = 17,
  int8_type = 20,
  int2_type = 21,
  int4_type = 23,
  oid_type = 26,
  json_type = 114,
  float4_type = 700,
  float8_type = 701,
  timestamp_type = 1114,
  timestamptz_type = 1184,
  numeric_type = 1700,
  jsonb_type = 3802
};

// A message of libpq.
std::string message_of(const char* text) {
  return std::string(base::trimmed(text));
}

// The addresses of the host that may be called.
base::Result<std::string> permitted_addresses(const DatabaseAccess& access, SqlFailure& failure) {
  auto fail = [&](const char* kind, std::string message) {
    failure = {kind, message};
    return base::unavailable(std::move(message));
  };
  auto policy = net::OutboundPolicy::create(access.http_allow);
  if (!policy) return fail("connection", policy.error().message);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int code = getaddrinfo(access.host.c_str(), nullptr, &hints, &found);
  if (code != 0) return fail("connection", fmt::format("{}: {}", access.host, gai_strerror(code)));
  std::string addresses;
  std::string refused;
  for (addrinfo* each = found; each != nullptr; each = each->ai_next) {
    std::string text = net::address_text(*each->ai_addr);
    bool permitted =
        policy->permits(access.host, static_cast<std::uint16_t>(access.port), *each->ai_addr);
    if (permitted && addresses.empty()) addresses = text;
    if (!permitted) refused = text;
  }
  freeaddrinfo(found);
  if (!addresses.empty()) return addresses;
  return fail("forbidden_address",
              fmt::format("{} is {}, which is not public, and DAGY_HTTP_ALLOW does not name {}:{}",
                          access.host, refused, access.host, access.port));
}

base::Result<Session> connect(const DatabaseAccess& access, SqlFailure& failure) {
  if (auto loaded = store::load_libpq(); !loaded) {
    failure = {"connection", loaded.error().message};
    return loaded.error();
  }
  std::string address = TRY(permitted_addresses(access, failure));
  std::string port = std::to_string(access.port);
  std::string timeout = std::to_string(base::limits::sql_connect_timeout.count());
  const char* names[] = {"host",
                         "hostaddr",
                         "port",
                         "dbname",
                         "user",
                         "password",
                         "sslmode",
                         "connect_timeout",
                         "client_encoding",
                         "application_name",
                         "options",
                         nullptr};
  const char* values[] = {access.host.c_str(),
                          address.c_str(),
                          port.c_str(),
                          access.database.c_str(),
                          access.user.c_str(),
                          access.password.c_str(),
                          access.sslmode.c_str(),
                          timeout.c_str(),
                          "UTF8",
                          "dagy",
                          "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 "
                          "-c bytea_output=hex",
                          nullptr};
  Session session(pq().connectdb_params(names, values, /*expand_dbname=*/0), pq().finish);
  if (session && pq().status(session.get()) == CONNECTION_OK) return session;
  failure = {"connection",
             message_of(session ? pq().error_message(session.get()) : "out of memory")};
  return base::unavailable(failure.message);
}

// ---- values ----

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 2; i + 1 < hex.size(); i += 2) {  // after "\x"
    unsigned value = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    bytes += static_cast<char>(value);
  }
  return bytes;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.eE+-") == std::string_view::npos;
}

// "2026-01-02 03:04:05.6+00" to ISO 8601.
std::string iso_time(std::string_view text) {
  std::string iso(text);
  if (auto space = iso.find(' '); space != std::string::npos) iso[space] = 'T';
  if (iso.ends_with("+00")) iso.replace(iso.size() - 3, 3, "Z");
  return iso;
}

std::string json_of(const PGresult* result, int row, int column) {
  if (pq().getisnull(result, row, column)) return "null";
  std::string_view text(pq().getvalue(result, row, column),
                        static_cast<std::size_t>(pq().getlength(result, row, column)));
  std::string json;
  switch (pq().ftype(result, column)) {
    case bool_type:
      return text == "t" ? "true" : "false";
    case int2_type:
    case int4_type:
    case int8_type:
    case oid_type:
      return std::string(text);
    case json_type:
    case jsonb_type:
      // Some JSON of PostgreSQL is none of ours: names twice, U+0000.
      if (base::JsonDocument::parse(std::string(text))) return std::string(text);
      break;
    case float4_type:
    case float8_type:
    case numeric_type:
      if (is_number(text)) return std::string(text);
      break;  // NaN, Infinity
    case bytea_type:
      base::append_json_string(json, base::encode_base64(from_hex(text)));
      return json;
    case timestamp_type:
    case timestamptz_type:
      base::append_json_string(json, iso_time(text));
      return json;
    default:
      break;
  }
  base::append_json_string(json, text);
  return json;
}

// A parameter's text, as the server reads it for the type it is used as; nothing for null.
std::optional<std::string> text_of(const base::RawJson& value) {
  auto document = base::JsonDocument::parse(value.text);
  if (!document) return std::nullopt;
  base::JsonView root = (*document)->root();
  if (root.is_null()) return std::nullopt;
  return root.is_string() ? root.string() : std::string(root.raw());
}

void pass_rows(const PGresult* result, RowSink& rows) {
  std::vector<std::string> names;
  for (int i = 0; i < pq().nfields(result); ++i) names.emplace_back(pq().fname(result, i));
  std::vector<std::string> values(names.size());
  if (!rows.begin(std::move(names))) return;
  for (int row = 0; row < pq().ntuples(result); ++row) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = json_of(result, row, static_cast<int>(i));
    if (!rows.row(values)) return;
  }
}

// ---- cancelling ----

PGcancel* running = nullptr;  // what the signal handler cancels; PQcancel is made for one

void cancel_statement(int) {
  char ignored[256];
  if (running != nullptr) pq().cancel(running, ignored, sizeof ignored);
  _exit(128 + SIGTERM);
}

SqlFailure refused(const PGresult* result) {
  const char* state = pq().result_error_field(result, PG_DIAG_SQLSTATE);
  std::string message = message_of(pq().result_error_message(result));
  return {"sql", state == nullptr ? message : fmt::format("{} (SQLSTATE {})", message, state)};
}

}  // namespace

std::optional<SqlFailure> run_on_postgresql(const SqlTask& task, RowSink& rows) {
  SqlFailure failure;
  base::Result<Session> session = connect(task.access, failure);
  if (!session) return failure;
  // So that a statement ends when this process does, whatever ends it (PostgreSQL 14; before, it
  // is an error without effect).
  Answer(pq().exec_params(session->get(), "SET client_connection_check_interval = 1000", 0, nullptr,
                          nullptr, nullptr, nullptr, 0),
         pq().clear);
  running = pq().get_cancel(session->get());
  signal(SIGTERM, cancel_statement);
  std::vector<std::optional<std::string>> texts;
  for (const base::RawJson& value : task.parameters) texts.push_back(text_of(value));
  std::vector<const char*> values;
  for (const auto& text : texts) values.push_back(text ? text->c_str() : nullptr);
  Answer answer(
      pq().exec_params(session->get(), task.statement.c_str(), static_cast<int>(values.size()),
                       nullptr, values.data(), nullptr, nullptr, /*resultFormat=*/0),
      pq().clear);
  switch (pq().result_status(answer.get())) {
    case PGRES_TUPLES_OK:
      pass_rows(answer.get(), rows);
      break;
    case PGRES_COMMAND_OK:
      break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
      return SqlFailure{"sql", "COPY is not for tasks"};
    case PGRES_EMPTY_QUERY:
      return SqlFailure{"sql", "the statement is empty"};
    default:
      if (pq().status(session->get()) != CONNECTION_OK)
        return SqlFailure{"connection", message_of(pq().error_message(session->get()))};
      return refused(answer.get());
  }
  std::string_view affected = pq().cmd_tuples(answer.get());
  std::int64_t count = 0;
  std::from_chars(affected.data(), affected.data() + affected.size(), count);
  rows.affected(count);
  return std::nullopt;
}

}  // namespace clients
