"""What the package promises of its source: Python 3.9, the standard library, annotations."""

import ast
import pathlib
import subprocess
import sys

import pytest

SDK = pathlib.Path(__file__).resolve().parents[2] / "sdk" / "python"
SOURCES = sorted((SDK / "dagy").glob("*.py"))
# Names of the standard library that came after 3.9.
NEWER = {"tomllib", "itertools.pairwise", "typing.Self", "typing.ParamSpec", "datetime.UTC"}


def name_of(path):
    return path.name


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_is_python_3_9(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    for each in ast.walk(tree):
        assert not isinstance(each, getattr(ast, "Match", ())), "match came with 3.10"
        if isinstance(each, (ast.FunctionDef, ast.AnnAssign)):  # X | None came with 3.10
            found = [each.annotation] if isinstance(each, ast.AnnAssign) else [
                argument.annotation for argument in each.args.args + each.args.kwonlyargs]
            assert not any(isinstance(annotation, ast.BinOp) for annotation in found)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_uses_the_standard_library_only(path):
    known = set(sys.stdlib_module_names) - NEWER
    for each in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(each, ast.Import):
            assert {alias.name.split(".")[0] for alias in each.names} <= known
        if isinstance(each, ast.ImportFrom) and each.level == 0:
            assert each.module.split(".")[0] in known
            assert not {f"{each.module}.{alias.name}" for alias in each.names} & NEWER


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_is_annotated_and_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 410
    assert max(len(line) for line in text.splitlines()) <= 100
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef):
            assert each.returns is not None, f"{each.name} says not what it returns"
            named = [argument for argument in each.args.args if argument.arg not in ("self", "cls")]
            assert all(argument.annotation for argument in named), each.name


def test_a_task_loads_no_client():
    """Attempts on a server import the package; what they do not need must not cost them time."""
    code = "import dagy, sys; print(*(n for n in sys.modules if n.startswith('dagy.')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=SDK, capture_output=True, text=True,
                          check=True)
    assert not {"dagy.client", "dagy.local", "dagy.artifact"} & set(done.stdout.split())


def test_all_public_names_exist():
    import dagy
    assert all(getattr(dagy, name) is not None for name in dagy.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dagy.nothing
