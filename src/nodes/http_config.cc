#include "nodes/http_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/limits.h"
#include "net/http_url.h"
#include "net/response_head.h"
#include "net/url.h"
#include "nodes/http_config_types.h"

namespace nodes {

namespace limits = base::limits;
using base::field;
using base::FieldErrors;
using base::Fields;
using base::Path;

std::span<const base::EnumName> enum_names(HttpMethod) {
  using T = HttpMethod;
  static constexpr auto names = std::to_array<base::EnumName>({{int(T::get), "GET"},
                                                               {int(T::head), "HEAD"},
                                                               {int(T::post), "POST"},
                                                               {int(T::put), "PUT"},
                                                               {int(T::patch), "PATCH"},
                                                               {int(T::del), "DELETE"},
                                                               {int(T::options), "OPTIONS"}});
  return names;
}

std::span<const base::EnumName> enum_names(HttpBody) {
  using T = HttpBody;
  static constexpr auto names = std::to_array<base::EnumName>(
      {{int(T::json), "json"}, {int(T::text), "text"}, {int(T::base64), "base64"}});
  return names;
}

std::span<const base::EnumName> enum_names(HttpAuthType) {
  using T = HttpAuthType;
  static constexpr auto names =
      std::to_array<base::EnumName>({{int(T::basic), "basic"}, {int(T::bearer), "bearer"}});
  return names;
}

std::span<const base::EnumName> enum_names(HttpPaging) {
  using T = HttpPaging;
  static constexpr auto names = std::to_array<base::EnumName>({{int(T::link), "link"},
                                                               {int(T::url), "url"},
                                                               {int(T::cursor), "cursor"},
                                                               {int(T::page), "page"}});
  return names;
}

// ---- headers ----

namespace {

constexpr std::string_view control_rule = "must not hold control characters";

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

// What frames the message or names the host is the client's own.
bool is_reserved(std::string_view name) {
  static constexpr auto names = std::to_array<std::string_view>(
      {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive",
       "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"});
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view each) { return base::equals_ignoring_case(each, name); });
}

bool has_template(const std::map<std::string, HttpQueryValue>& query) {
  for (const auto& [name, value] : query)
    for (const std::string& text : value.texts)
      if (text.find("{{") != std::string::npos) return true;
  return false;
}

void check_headers(const HttpConfig& config, const Path& path, FieldErrors& errors) {
  std::size_t bytes = 0;
  std::set<std::string> seen;
  for (const auto& [name, value] : config.headers) {
    Path here = path.member(name);
    if (!seen.insert(base::ascii_lower(name)).second) errors.add(here, "stands twice");
    bytes += name.size() + value.size();
    if (!net::is_token(name)) errors.add(here, "must be the name of a header");
    if (is_reserved(name)) errors.add(here, "is set by the client itself");
    if (has_control(value)) errors.add(here, std::string(control_rule));
    if (config.auth && base::equals_ignoring_case(name, "authorization"))
      errors.add(here, "cannot stand beside auth");
  }
  if (bytes > limits::http_header_bytes_max)
    errors.add(path, fmt::format("must have at most {} bytes", limits::http_header_bytes_max));
}

void check_auth(const void* object, const Path& path, FieldErrors& errors) {
  const auto& auth = *static_cast<const HttpAuth*>(object);
  auto check = [&](std::string_view name, const std::optional<std::string>& text,
                   HttpAuthType owner) {
    Path here = path.member(name);
    bool is_due = auth.type == owner;
    if (is_due && !text)
      errors.add(here, fmt::format("is required with type {}", base::name_of(auth.type)));
    if (!is_due && text)
      errors.add(here, fmt::format("means nothing with type {}", base::name_of(auth.type)));
    if (text && has_control(*text)) errors.add(here, std::string(control_rule));
  };
  check("username", auth.username, HttpAuthType::basic);
  check("password", auth.password, HttpAuthType::basic);
  check("token", auth.token, HttpAuthType::bearer);
  if (auth.username && auth.username->find(':') != std::string::npos)
    errors.add(path.member("username"), "must not hold a colon");
}

void check_paginate(const void* object, const Path& path, FieldErrors& errors) {
  const auto& paginate = *static_cast<const HttpPaginate*>(object);
  auto check = [&](std::string_view name, bool present, bool is_due) {
    std::string by(base::name_of(paginate.by));
    if (is_due && !present) errors.add(path.member(name), "is required by " + by);
    if (!is_due && present) errors.add(path.member(name), "means nothing by " + by);
  };
  bool in_body = paginate.by == HttpPaging::url || paginate.by == HttpPaging::cursor;
  bool in_query = paginate.by == HttpPaging::cursor || paginate.by == HttpPaging::page;
  check("pointer", paginate.pointer.has_value(), in_body);
  check("parameter", paginate.parameter.has_value(), in_query);
  auto check_pointer = [&](std::string_view name, const std::string& pointer) {
    if (!pointer.empty() && !pointer.starts_with('/'))
      errors.add(path.member(name), "must be a JSON pointer: empty, or with a / in front");
  };
  check_pointer("items", paginate.items);
  check_pointer("pointer", paginate.pointer.value_or(""));
}

void check_config(const void* object, const Path& path, FieldErrors& errors) {
  const auto& config = *static_cast<const HttpConfig*>(object);
  base::Result<net::HttpUrl> url = net::parse_http_url(config.url);
  if (!url) errors.add(path.member("url"), url.error().message);
  bool is_known = config.url.find("{{") == std::string::npos && !has_template(config.query);
  if (auto full = config.full_url(); url && is_known && !full)
    errors.add(path.member("query"), full.error().fields[0].message);
  check_headers(config, path.member("headers"), errors);
  if (config.method == HttpMethod::head && config.body)
    errors.add(path.member("body"), "cannot be sent with HEAD");
  if (config.method != HttpMethod::get && config.paginate)
    errors.add(path.member("paginate"), "needs method GET");
  if (config.paginate && config.expect.body && *config.expect.body != HttpBody::json)
    errors.add(path.member("paginate"), "needs an expected body of json");
}

}  // namespace

// ---- descriptions ----

bool HttpExpect::accepts(int status_code) const {
  return std::any_of(status.begin(), status.end(), [&](const HttpStatuses& range) {
    return range.first <= status_code && status_code <= range.last;
  });
}

std::string HttpAuth::header() const {
  if (type == HttpAuthType::bearer) return "Bearer " + *token;
  return "Basic " + base::encode_base64(*username + ":" + *password);
}

base::Result<net::HttpUrl> HttpConfig::full_url() const {
  std::string text = url.substr(0, url.find('#'));
  char separator = text.find('?') == text.npos ? '?' : '&';
  for (const auto& [name, value] : query) {
    for (const std::string& each : value.texts) {
      text += separator + net::percent_encode(name) + '=' + net::percent_encode(each);
      separator = '&';
    }
  }
  auto parsed = net::parse_http_url(text);
  if (parsed) return parsed;
  std::string rule = "with it the URL " + parsed.error().message;
  return base::invalid("/query: " + rule, {{"/query", rule}});
}

HttpPaginate::HttpPaginate() : pages_max(limits::http_pages_default) {}

const Fields& HttpExpect::fields() {
  using S = HttpExpect;
  static const Fields fields(
      "HttpExpect",
      {field<&S::status>("status",
                         "statuses that succeed, as 200 or \"2xx\"; a redirect named here is not "
                         "followed")
           .length(1, 100)
           .defaults_to("[\"2xx\"]"),
       field<&S::body>("body",
                       "what the body is; absent: JSON if its type says so and it is, else text, "
                       "and base64 if it is no text")});
  return fields;
}

const Fields& HttpAuth::fields() {
  using S = HttpAuth;
  static const Fields fields(
      "HttpAuth",
      {field<&S::type>("type", "").required(),
       field<&S::username>("username", "of basic").length(0, limits::text_bytes_max),
       field<&S::password>("password", "of basic").length(0, limits::text_bytes_max),
       field<&S::token>("token", "of bearer").length(1, limits::http_url_bytes_max)},
      check_auth);
  return fields;
}

const Fields& HttpPaginate::fields() {
  using S = HttpPaginate;
  static const Fields fields(
      "HttpPaginate",
      {field<&S::by>("by",
                     "what leads to the next page: the Link header, a URL in the body, a cursor in "
                     "the body, or a number that counts until a page is empty")
           .required(),
       field<&S::items>("items", "JSON pointer to a page's list").defaults_to("\"\""),
       field<&S::pointer>("pointer", "JSON pointer to the URL or the cursor").length(0, 1024),
       field<&S::parameter>("parameter", "of the query: takes the cursor or the number")
           .length(1, 256),
       field<&S::first>("first", "the number of the first page").range(0, 1'000'000),
       field<&S::pages_max>("pages_max", "more pages than these fail the task")
           .range(1, limits::http_pages_max)},
      check_paginate);
  return fields;
}

const Fields& HttpConfig::fields() {
  using S = HttpConfig;
  static const Fields fields(
      "HttpConfig",
      {field<&S::method>("method", "").defaults_to("\"GET\""),
       field<&S::url>("url", "http or https").required().length(1, limits::http_url_bytes_max),
       field<&S::headers>("headers", "").length(0, limits::http_headers_max),
       field<&S::query>("query", "added to the URL's own").length(0, 1000),
       field<&S::body>("body", "text is sent as it is, anything else as JSON"),
       field<&S::expect>("expect", "what counts as success"),
       field<&S::auth>("auth", "never sent to another origin"),
       field<&S::paginate>("paginate", "follow the pages; the output's body is one list")},
      check_config);
  return fields;
}

}  // namespace nodes
