// `{{ expression }}` inside the strings of a JSON document, for instance of a node's config. A
// string that is one `{{ … }}` and nothing else becomes the expression's value with its type; in
// other strings each `{{ … }}` becomes text. All else passes through byte by byte.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/fields.h"
#include "base/json.h"
#include "model/cel/program.h"

namespace model::cel {

class Template {
 public:
  /// Every error of every expression goes to `errors` with its path. Members of `config` that are
  /// named in `verbatim_members` are never templated. Keeps no view of `config`.
  static Template compile(base::JsonView config, const Scope& scope,
                          std::span<const std::string_view> verbatim_members,
                          const base::Path& path, base::FieldErrors& errors);

  bool has_expressions() const;
  const Reads& reads() const { return reads_; }
  /// The document's JSON text with every expression's value in its place. Thread-safe. Errors as of
  /// Program::evaluate; the message says in which string, by its RFC 6901 pointer.
  base::Result<std::string> render(const Bindings& bindings, Budget& budget) const;

 private:
  friend class TemplateCompiler;
  using Piece = std::variant<std::string, ProgramPtr>;  // decoded text, or an expression
  /// A string of the document with expressions in it.
  struct Slot {
    std::string pointer;
    std::vector<Piece> pieces;
    bool keeps_type = false;  // it is one expression and nothing else
  };
  using Segment = std::variant<std::string, Slot>;  // JSON text, or what is rendered in its place

  static base::Result<> render_slot(std::string& out, const Slot& slot, const Bindings& bindings,
                                    Budget& budget);

  std::vector<Segment> segments_;
  Reads reads_;
};

}  // namespace model::cel
