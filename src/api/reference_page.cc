// The API reference: plain HTML from the route table, no script, nothing from elsewhere.
#include <algorithm>

#include "api/openapi.h"
#include "api/routes.h"

namespace api {

namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

constexpr std::string_view head = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Dagy API</title><style>
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1c2430}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #d5dbe3}
code{font:13px ui-monospace,monospace}
details{border:1px solid #d5dbe3;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer}summary b{display:inline-block;min-width:4rem}
table{border-collapse:collapse;width:100%;margin:.4rem 0 1rem}
td,th{text-align:left;padding:.2rem .6rem .2rem 0;vertical-align:top;
border-bottom:1px solid #edf0f4}
.muted{color:#5c6878}</style></head><body><h1>Dagy API</h1>
<p class="muted">Everything is served at <code>/</code> and at <code>/app</code>. Send
<code>Authorization: Bearer &lt;token&gt;</code> with a token of <code>POST /auth/login</code>.
The same as a document: <a href="openapi.json">openapi.json</a>.</p>
)html";

void add_fields(std::string& out, std::string_view title, const base::Fields& fields) {
  if (fields.list().empty()) return;
  out += "<table><tr><th colspan=2>" + escaped(title) + "</th></tr>";
  for (const base::Field& field : fields.list()) {
    out += "<tr><td><code>" + escaped(field.name) + "</code>";
    if (field.is_required) out += "&nbsp;*";
    out += "</td><td>" + escaped(field.meaning) + "</td></tr>";
  }
  out += "</table>";
}

std::string access_text(const Access& access) {
  if (access.kind == Access::Kind::anyone) return "public";
  if (!access.permission) return "any signed-in identity";
  return "permission " + std::string(base::name_of(*access.permission));
}

void add_route(std::string& out, const Route& route) {
  out += "<details><summary><b>" + std::string(method_name(route.method)) + "</b> <code>" +
         escaped(route.path) + "</code> <span class=\"muted\">" + escaped(route.summary) +
         "</span></summary><p class=\"muted\">" + escaped(access_text(route.access)) + "</p>";
  if (route.query != nullptr) add_fields(out, "Query", route.query());
  if (route.body != nullptr) add_fields(out, "Body (* required)", route.body());
  out += "<table><tr><th colspan=2>Answers</th></tr>";
  for (const Answers& answer : route.answers)
    out += "<tr><td><code>" + std::to_string(answer.status) + "</code></td><td>" +
           escaped(answer.meaning) + "</td></tr>";
  out += "</table>";
  for (const Answers& answer : route.answers)
    if (answer.body != nullptr)
      add_fields(out, std::to_string(answer.status) + " body", answer.body());
  out += "</details>\n";
}

}  // namespace

std::string reference_page() {
  std::string out(head);
  for (const Category& category : categories()) {
    out += "<h2>" + escaped(category.tag) + "</h2><p>" + escaped(category.meaning) + "</p>\n";
    for (const Route& route : category.routes) add_route(out, route);
  }
  return out + "</body></html>\n";
}

}  // namespace api
