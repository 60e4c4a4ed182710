// Fuzzes the JSON reader: what it takes comes out the same after writing, its strings are UTF-8,
// and the canonical form of the canonical form is itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/json_writer.h"
#include "base/utf8.h"

namespace {

using base::JsonDocument;
using base::JsonType;
using base::JsonView;

void require(bool holds) {
  if (!holds) std::abort();
}

void visit(JsonView value, base::JsonWriter& out) {
  switch (value.type()) {
    case JsonType::string: {
      std::string text = value.string();
      require(base::is_utf8(text));
      require(value.string_equals(text));
      out.string(text);
      return;
    }
    case JsonType::array: {
      std::size_t count = 0;
      out.begin_array();
      for (JsonView element : value.elements()) {
        visit(element, out);
        ++count;
      }
      out.end_array();
      require(count == value.size());
      return;
    }
    case JsonType::object: {
      out.begin_object();
      for (JsonView::Member member : value.members()) {
        std::string name = member.name.string();
        require(value.find(name).has_value());
        out.key(name);
        visit(member.value, out);
      }
      out.end_object();
      return;
    }
    default:
      value.integer();
      out.raw(value.raw());
  }
}

std::string canonical(JsonView value) {
  std::string text;
  base::append_canonical_json(text, value);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto document = JsonDocument::parse(std::string(reinterpret_cast<const char*>(data), size));
  if (!document) return 0;
  std::string written;
  base::JsonWriter out(written);
  visit((*document)->root(), out);
  auto again = JsonDocument::parse(written);
  require(static_cast<bool>(again));
  std::string once = canonical((*document)->root());
  require(once == canonical((*again)->root()));
  auto whole = JsonDocument::parse(once);
  require(whole && canonical((*whole)->root()) == once);
  return 0;
}
