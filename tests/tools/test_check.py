"""tools/check must find what it is there for: small trees, each with one broken rule."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess

import pytest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check"
HEADER = "// What it is.\n#pragma once\n"


def load():
    loader = importlib.machinery.SourceFileLoader("check", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    loader.exec_module(module)
    return module


check = load()


def violations(root, files, binary=None):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return check.Check(root, binary).run()


def long_function(lines):
    return "void f() {\n" + "  g();\n" * (lines - 2) + "}\n"


CLEAN = {
    "src/base/a.h": HEADER + "#include <chrono>\n",
    "src/base/clock.cc": "auto now() { return std::chrono::system_clock::now(); }\n",
    "src/net/a.cc": "#include <boost/asio.hpp>\n#include \"base/a.h\"\n#include \"net/a.h\"\n",
    "src/store/a.cc": "#include <sqlite3.h>\n#include \"model/a.h\"\n",
    "src/api/a.cc": "#include \"runtime/a.h\"\n#include \"auth/a.h\"\n" + long_function(70),
    "src/app/a.cc": "#include \"api/a.h\"\n// system_clock::now() in words\n"
                    "auto s = \"time(nullptr)\"; int runtime(nullptr_t); int strand(int);\n",
    "src/model/cel/a.cc": "#include <re2/re2.h>\n#include \"base/a.h\"\n#include \"model/cel/b.h\"\n",
    "src/model/a.cc": "int a = 10'000;  // " + "é" * 79 + "\n" + "\n" * 498,
}


def test_a_clean_tree(tmp_path):
    assert violations(tmp_path, CLEAN) == []


@pytest.mark.parametrize("name, text, line, word", [
    ("src/base/a.cc", "\n#include \"model/a.h\"\n", 2, "base may not include model/a.h"),
    ("src/engine/a.cc", "#include \"store/store.h\"\n", 1, "engine may not include"),
    ("src/model/cel/a.cc", "#include \"model/plan.h\"\n", 1, "model/cel may not include"),
    ("src/model/cel/x/a.cc", "", 1, "src/ has rooms"),
    ("src/net/cel/a.cc", "", 1, "src/ has rooms"),
    ("src/api/a.cc", "#include <re2/re2.h>\n", 1, "belongs to model"),
    ("src/net/a.cc", "  #  include \"auth/a.h\"\n", 1, "net may not include"),
    ("src/nodes/a.cc", "#include \"runtime/a.h\"\n", 1, "nodes may not include"),
    ("src/api/a.cc", "#include \"app/a.h\"\n", 1, "api may not include"),
    ("src/api/a.cc", "#include \"neighbour.h\"\n", 1, "api may not include"),
    ("src/api/a.cc", "#include <boost/asio.hpp>\n", 1, "belongs to net"),
    ("src/api/a.cc", "#include <sqlite3.h>\n", 1, "belongs to clients, store"),
    ("src/util/a.cc", "", 1, "rooms"),
    ("src/api/deep/a.cc", "", 1, "rooms"),
    ("src/api/a.cc", "\n" * 501, 501, "500 lines"),
    ("src/api/a.cc", "x\n// " + "x" * 98 + "\n", 2, "100 columns"),
    ("src/api/a.cc", long_function(71), 1, "this has 71"),
    ("src/api/a.cc", "auto t = system_clock::now();\n", 1, "system_clock::now"),
    ("src/api/a.cc", "\nauto t = std::chrono::steady_clock::now();\n", 2, "steady_clock::now"),
    ("src/api/a.cc", "auto t = time(nullptr);\n", 1, "time(nullptr)"),
    ("src/api/a.cc", "std::mt19937_64 r;\n", 1, "mt19937_64"),
    ("src/api/a.cc", "std::random_device d;\n", 1, "random_device"),
    ("src/api/a.cc", "int i = rand();\n", 1, "rand"),
    ("src/api/a.cc", "randombytes_buf(a, 1);\n", 1, "randombytes_buf"),
    ("src/api/a.cc", "// TODO: more\n", 1, "later"),
    ("tests/api/a.py", "# FIXME\n", 1, "later"),
    ("src/api/a.h", "// What it is.\n", 1, "#pragma once"),
    ("src/api/a.h", "#pragma once\n", 1, "opens with a comment"),
    ("src/api/a.cc", "R f() {\n  return R{\n      TRY(g())};\n}\n", 3, "TRY in a braced initializer"),
    ("src/api/a.cc", "void f() {\n", 1, "do not balance"),
    ("src/api/a.cc", "}\n", 1, "do not balance"),
])
def test_a_broken_rule(tmp_path, name, text, line, word):
    found = violations(tmp_path, {**CLEAN, name: text})
    assert len(found) == 1 and found[0].startswith(f"{name}:{line}: ") and word in found[0], found


FUNCTIONS = r'''
#define TWICE(x) \
  { x }
namespace a {
namespace {
constexpr int table[] = {1, 2,
                         3};
const std::vector<Row> rows = {{.name = "}", .run = [](int i) { return i; }}, {"{"}};
/* { */ enum class Kind { one, two };
struct Plain {
  int member{1};
  int one() const { return '{'; }
  Plain(int i)
      : member{i},
        other_(make({.slots = 4})) {
    f("\"{");
  }
 private:
  static const Fields& fields() {
    static const Fields all("x", {
      field<&Plain::member>("m"),
    });
    return all;
  }
};
template <class T = Map<int, int>, int n = 2>
struct Box : public Base<T> {
  T operator()(T v) { return v; }
  bool operator==(const Box& b) const { return true; }
};
class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { handle_.lock(); }
};
constexpr std::string_view script = R"py(
def main(): {
)py";
}  // namespace

TEST_F(Suite, Case) {
  for (int i = 0; i < 10'000; ++i) {
    if (i) { g(); }
  }
}

auto trailing(int a) -> Map<int> {
  return [a] { return a; }();
}
}  // namespace a
'''


def test_functions_are_found_where_they_are():
    lines = FUNCTIONS.splitlines()
    found = [(lines[first - 1].strip(), last - first + 1)
             for first, last in check.functions(check.code_of(FUNCTIONS))]
    assert found == [
        ("int one() const { return '{'; }", 1), ("Plain(int i)", 5),
        ("static const Fields& fields() {", 6), ("T operator()(T v) { return v; }", 1),
        ("bool operator==(const Box& b) const { return true; }", 1),
        ("void lock() ACQUIRE() { handle_.lock(); }", 1), ("TEST_F(Suite, Case) {", 5),
        ("auto trailing(int a) -> Map<int> {", 3)]


TRY_IN_INITIALIZERS = r'''
base::Result<Pair> f(const Plan* plan) {
  Pair a{TRY(g()), 1};              // fires
  Pair b = {1, TRY(g())};           // fires
  list.push_back({1, TRY(g(2))});   // fires
  auto c = std::vector<Pair>{{1, 2},
                             {3, TRY(g())}};  // fires
  h(plan->first, Pair{TRY(g()), 1});  // fires
  Row row{.text = name(TRY(g()))};  // fires
  each({[&]() -> base::Result<> { TRY(g()); return {}; }, TRY(g())});  // fires
  return {TRY(g()), {}};            // fires
}
'''
TRY_IN_BLOCKS = r'''
namespace a {
class Reader {
 public:
  Reader() : plan_{1}, row_(2) { run([this]() -> base::Result<> { TRY(g()); return {}; }); }
  base::Result<int> read() const { return TRY(g()); }
};
base::Result<std::map<int, int>> f() {
  int a = TRY(g({1, 2}));
  auto b = [&] { return TRY(g()); };
  auto c = [&]() mutable -> base::Result<std::vector<int>> { return TRY(g()); };
  TRY(store.read([&](Tx& tx) -> base::Result<> {
    a = TRY(find(tx, {1, {2}}));
    return {};
  }));
  Row row{1, [] { return TRY(g()); }};
  for (int i : {1, 2}) { { TRY(g(i)); } }
  switch (a) { case 1: { TRY(g()); } default: TRY(g()); }
  if (a) { TRY(g()); } else { TRY(g()); }
  do { TRY(g()); } while (MY_TRY(g()));
  auto d = Pair{RETRY(1), "TRY(1)"};  // TRY(1) in words
  return std::map<int, int>(TRY(h()));
}
}  // namespace a
'''


def test_a_try_in_an_initializer_is_found_where_it_is():
    wanted = [number for number, line in enumerate(TRY_IN_INITIALIZERS.splitlines(), 1)
              if "// fires" in line]
    assert check.tries_in_initializers(check.code_of(TRY_IN_INITIALIZERS)) == wanted
    assert check.tries_in_initializers(check.code_of(TRY_IN_BLOCKS)) == []


def test_a_route_without_a_case(tmp_path):
    binary = tmp_path / "dagy"
    binary.write_text('#!/bin/sh\necho \'{"paths": {"/a": {"get": {}, "post": {}}}}\'\n')
    binary.chmod(0o755)
    cases = {"tests/api/test_a.py": 'call("GET /a")\n',
             "tests/api/test_access.py": 'ROUTES = ["POST /a"]\n'}
    found = violations(tmp_path, {**CLEAN, **cases}, str(binary))
    assert found == ["tests/api:1: no case calls POST /a"]


def test_the_exit_code(tmp_path):
    def run():
        done = subprocess.run([str(TOOL), "--root", str(tmp_path)], capture_output=True, text=True)
        return done.returncode, done.stdout

    violations(tmp_path, CLEAN)
    assert run()[0] == 0
    (tmp_path / "src/api/b.h").write_text("int x;\n")
    code, printed = run()
    assert code == 1 and "src/api/b.h:1: a header has #pragma once" in printed
