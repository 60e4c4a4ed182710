#include "model/cel/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "base/limits.h"
#include "model/cel/json_text.h"

namespace model::cel {

namespace {
constexpr std::string_view opening = "{{";
}

/// Goes through the document and cuts its text at the strings that have expressions.
class TemplateCompiler {
 public:
  TemplateCompiler(base::JsonView config, const Scope& scope, base::FieldErrors& errors)
      : text_(config.raw()), scope_(scope), errors_(errors) {}

  void value(base::JsonView view, const base::Path& path) {
    if (view.is_string()) string(view, path);
    if (view.is_array()) {
      std::size_t index = 0;
      for (base::JsonView element : view.elements()) value(element, path.element(index++));
    }
    if (view.is_object())
      for (base::JsonView::Member member : view.members()) {
        std::string name = member.name.string();
        value(member.value, path.member(name));
      }
  }

  Template finish() {
    keep_text(text_.size());
    return std::move(template_);
  }

 private:
  void string(base::JsonView view, const base::Path& path) {
    auto text = std::make_shared<const std::string>(view.string());
    std::size_t at = text->find(opening);
    if (at == std::string::npos) return;
    Template::Slot slot{path.pointer(), {}};
    std::size_t done = 0;
    for (; at != std::string::npos; at = text->find(opening, done)) {
      if (at > done) slot.pieces.emplace_back(text->substr(done, at - done));
      auto embedded = expression(text, at + opening.size());
      if (!embedded) {
        errors_.add(path, std::move(embedded.error().message));
        return;
      }
      merge(template_.reads_, embedded->program->reads());
      slot.pieces.emplace_back(std::move(embedded->program));
      done = embedded->end;
    }
    if (done < text->size()) slot.pieces.emplace_back(text->substr(done));
    slot.keeps_type =
        slot.pieces.size() == 1 && std::holds_alternative<ProgramPtr>(slot.pieces.front());
    auto begin = static_cast<std::size_t>(view.raw().data() - text_.data());
    keep_text(begin);
    kept_ = begin + view.raw().size();
    template_.segments_.emplace_back(std::move(slot));
  }

  base::Result<Embedded> expression(const std::shared_ptr<const std::string>& text,
                                    std::size_t begin) {
    if (++expressions_ > base::limits::template_expressions_max)
      return base::invalid(fmt::format("a document has at most {} expressions",
                                       base::limits::template_expressions_max));
    return compile_embedded(text, begin, scope_);
  }

  // Everything up to byte `end` that has not been kept yet.
  void keep_text(std::size_t end) {
    if (end > kept_)
      template_.segments_.emplace_back(std::string(text_.substr(kept_, end - kept_)));
  }

  std::string_view text_;
  const Scope& scope_;
  base::FieldErrors& errors_;
  Template template_;
  std::size_t kept_ = 0;
  std::size_t expressions_ = 0;
};

Template Template::compile(base::JsonView config, const Scope& scope,
                           std::span<const std::string_view> verbatim_members,
                           const base::Path& path, base::FieldErrors& errors) {
  TemplateCompiler compiler(config, scope, errors);
  if (!config.is_object()) {
    compiler.value(config, path);
    return compiler.finish();
  }
  for (base::JsonView::Member member : config.members()) {
    std::string name = member.name.string();
    if (std::find(verbatim_members.begin(), verbatim_members.end(), name) == verbatim_members.end())
      compiler.value(member.value, path.member(name));
  }
  return compiler.finish();
}

bool Template::has_expressions() const {
  return std::any_of(segments_.begin(), segments_.end(),
                     [](const Segment& segment) { return std::holds_alternative<Slot>(segment); });
}

base::Result<std::string> Template::render(const Bindings& bindings, Budget& budget) const {
  std::string out;
  for (const Segment& segment : segments_) {
    if (const auto* text = std::get_if<std::string>(&segment)) {
      out += *text;
      continue;
    }
    const auto& slot = std::get<Slot>(segment);
    auto rendered = render_slot(out, slot, bindings, budget);
    if (rendered) continue;
    base::Error error = std::move(rendered).error();
    error.message = fmt::format("{}: {}", slot.pointer, error.message);
    return error;
  }
  return out;
}

base::Result<> Template::render_slot(std::string& out, const Slot& slot, const Bindings& bindings,
                                     Budget& budget) {
  if (slot.keeps_type) {
    const auto& program = std::get<ProgramPtr>(slot.pieces.front());
    return append_json(out, TRY(program->evaluate(bindings, budget)), budget);
  }
  std::string text;
  for (const Piece& piece : slot.pieces) {
    if (const auto* plain = std::get_if<std::string>(&piece)) {
      text += *plain;
    } else {
      Value value = TRY(std::get<ProgramPtr>(piece)->evaluate(bindings, budget));
      TRY(append_text(text, value, budget));
    }
  }
  return append_json(out, Value::string(std::move(text)), budget);
}

}  // namespace model::cel
