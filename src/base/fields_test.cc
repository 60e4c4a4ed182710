#include "base/fields.h"

#include <gtest/gtest.h>

namespace base {
namespace {

enum class Colour { red, green };
std::span<const EnumName> enum_names(Colour) {
  static constexpr std::array<EnumName, 2> names{{{0, "red"}, {1, "green"}}};
  return names;
}

struct Wheel {
  int spokes = 0;
  bool operator==(const Wheel&) const = default;
  static const Fields& fields() {
    static const Fields fields("Wheel",
                               {field<&Wheel::spokes>("spokes", "").required().range(1, 100)});
    return fields;
  }
};

struct Cart {
  std::string name;
  std::optional<std::string> note;
  bool open = true;
  std::int64_t weight = 0;
  double height = 1.5;
  Colour colour = Colour::red;
  std::vector<Wheel> wheels;
  std::map<std::string, int> loads;
  RawJson extra = {"{}"};
  Timestamp made = {};

  static const Fields& fields() {
    using S = Cart;
    static const Fields fields(
        "Cart",
        {field<&S::name>("name", "its name").required().rule(name_rule),
         field<&S::note>("note", "").length(2, 5), field<&S::open>("open", ""),
         field<&S::weight>("weight", ""), field<&S::height>("height", "").range(0, 3),
         field<&S::colour>("colour", "").defaults_to("\"red\""),
         field<&S::wheels>("wheels", "").length(0, 2), field<&S::loads>("loads", ""),
         field<&S::extra>("extra", ""), field<&S::made>("made", "")},
        [](const void* object, const Path& path, FieldErrors& errors) {
          if (static_cast<const S*>(object)->name == "bad") errors.add(path, "is bad");
        });
    return fields;
  }
};

Result<Cart> read(std::string text) {
  auto document = JsonDocument::parse(std::move(text));
  EXPECT_TRUE(document);
  return read_struct<Cart>((*document)->root());
}

// "path: message" of every broken rule.
std::vector<std::string> errors_of(std::string text) {
  auto cart = read(std::move(text));
  std::vector<std::string> out;
  if (cart) return out;
  EXPECT_EQ(cart.error().code, ErrorCode::invalid);
  for (const FieldError& error : cart.error().fields)
    out.push_back(error.path + ": " + error.message);
  return out;
}

using Texts = std::vector<std::string>;

TEST(Fields, ReadsAndWritesEveryType) {
  std::string text =
      R"({"name":"c1","note":"abc","open":false,"weight":-7,"height":2.5,"colour":"green",)"
      R"("wheels":[{"spokes":3},{"spokes":4}],"loads":{"a":1,"b/c":2},"extra":[1, 2],)"
      R"("made":"2026-01-31T08:00:00.000Z"})";
  auto cart = read(text);
  ASSERT_TRUE(cart) << cart.error().message;
  EXPECT_EQ(cart->wheels, (std::vector<Wheel>{{3}, {4}}));
  EXPECT_EQ(cart->extra.text, "[1, 2]");
  EXPECT_EQ(cart->colour, Colour::green);
  EXPECT_EQ(write_struct(*cart), text);
}

TEST(Fields, KeepsDefaultsWhereNothingIsGiven) {
  auto cart = read(R"({"name":"c1"})");
  ASSERT_TRUE(cart);
  EXPECT_TRUE(cart->open);
  EXPECT_EQ(cart->height, 1.5);
  EXPECT_EQ(cart->note, std::nullopt);
}

TEST(Fields, TakesNullAsAbsent) {
  auto cart = read(R"({"name":"c1","open":null,"wheels":null,"note":null,"extra":null})");
  ASSERT_TRUE(cart);
  EXPECT_TRUE(cart->open);
  EXPECT_EQ(cart->extra.text, "{}");
  EXPECT_EQ(errors_of(R"({"name":null})"), Texts{"/name: is required"});
}

TEST(Fields, ReportsEveryBrokenRuleWithItsPath) {
  EXPECT_EQ(errors_of(R"({"open":1,"weight":1.5,"wheels":[{"spokes":0},{}],"loads":{"b/c~":"x"},)"
                      R"("colour":"blue","a~b/c":1,"made":"yesterday","note":"x"})"),
            (Texts{"/open: must be a boolean, not a number", "/weight: must be an integer",
                   "/wheels/0/spokes: must be from 1 to 100", "/wheels/1/spokes: is required",
                   "/loads/b~1c~0: must be a number, not a string",
                   "/colour: must be one of: red, green", "/a~0b~1c: unknown field",
                   "/made: must be a time of ISO 8601 with a zone, as 2026-01-31T08:00:00Z",
                   "/note: must have at least 2 bytes", "/name: is required"}));
}

TEST(Fields, ChecksLimits) {
  EXPECT_EQ(errors_of(R"({"name":"c","note":"abcdef"})"),
            Texts{"/note: must have at most 5 bytes"});
  EXPECT_EQ(errors_of(R"({"name":"c","height":3.01})"), Texts{"/height: must be from 0 to 3"});
  EXPECT_EQ(errors_of(R"({"name":"c","wheels":[{},{},{}]})"),
            Texts{"/wheels: must have at most 2 elements"});
  EXPECT_EQ(errors_of(R"({"name":"c","weight":9223372036854775808})"),
            Texts{"/weight: must be an integer"});
  EXPECT_EQ(errors_of(R"({"name":"c","height":1e999})"), Texts{"/height: must fit a double"});
  EXPECT_EQ(errors_of(R"({"name":"c","wheels":[null]})"),
            Texts{"/wheels/0: must be an object, not null"});
}

TEST(Fields, ChecksNames) {
  EXPECT_TRUE(errors_of(R"({"name":"A.b-c_9"})").empty());
  EXPECT_TRUE(errors_of("{\"name\":\"" + std::string(128, 'x') + "\"}").empty());
  for (std::string name : {std::string(), std::string(".a"), std::string("a b"), std::string("é"),
                           std::string(129, 'x')})
    EXPECT_EQ(errors_of("{\"name\":\"" + name + "\"}").size(), 1u) << name;
}

TEST(Fields, ChecksAcrossFieldsOnlyWhenTheyAreRight) {
  EXPECT_EQ(errors_of(R"({"name":"bad"})"), Texts{": is bad"});
  EXPECT_EQ(errors_of(R"({"name":"bad","open":1})"),
            Texts{"/open: must be a boolean, not a number"});
  EXPECT_EQ(errors_of("[]"), Texts{": must be an object, not an array"});
}

TEST(Fields, BoundsTheListOfErrors) {
  FieldErrors errors;
  for (int i = 0; i < 250; ++i) errors.add(Path{}, "wrong");
  Error error = std::move(errors).error();
  EXPECT_EQ(error.fields.size(), FieldErrors::errors_max);
  EXPECT_EQ(error.message, "wrong (and 249 more)");
}

TEST(Fields, DescribesItselfAsASchema) {
  std::string out;
  JsonWriter writer(out);
  SchemaRefs refs;
  Cart::fields().schema(writer, refs);
  auto document = JsonDocument::parse(out);
  ASSERT_TRUE(document) << document.error().message;
  auto at = [&](std::string_view pointer) {
    auto view = (*document)->root().at_pointer(pointer);
    return view ? std::string(view->raw()) : "nothing";
  };
  EXPECT_EQ(at("/additionalProperties"), "false");
  EXPECT_EQ(at("/required"), R"(["name"])");
  EXPECT_EQ(at("/properties/name"),
            R"({"type":"string","pattern":"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",)"
            R"("description":"its name"})");
  EXPECT_EQ(at("/properties/note"),
            R"({"anyOf":[{"type":"string","minLength":2,"maxLength":5},{"type":"null"}]})");
  // Null counts as absent.
  auto nullable = [](const std::string& schema, const std::string& more = "") {
    return R"({"anyOf":[{)" + schema + R"(},{"type":"null"}])" + more + '}';
  };
  EXPECT_EQ(at("/properties/height"), nullable(R"("type":"number","minimum":0,"maximum":3)"));
  EXPECT_EQ(at("/properties/colour"),
            nullable(R"("type":"string","enum":["red","green"])", R"(,"default":"red")"));
  EXPECT_EQ(
      at("/properties/wheels"),
      nullable(R"("type":"array","maxItems":2,"items":{"$ref":"#/components/schemas/Wheel"})"));
  EXPECT_EQ(at("/properties/loads"),
            nullable(R"("type":"object","additionalProperties":{"type":"integer"})"));
  EXPECT_EQ(refs, SchemaRefs{&Wheel::fields()});
}

}  // namespace
}  // namespace base
