"""`python3 -m dagy.build`: what it writes, and its one line of error."""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

SDK = pathlib.Path(__file__).resolve().parents[2] / "sdk" / "python"
GOOD = """from dagy import flow, noop, task

@task
def work(n):
    return n

@flow
def first(n: int):
    return work(n)

@flow(name="other")
def second():
    noop()
"""


def build(target, output, cwd):
    return subprocess.run([sys.executable, "-m", "dagy.build", target, "--output", str(output)],
                          cwd=cwd, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(SDK)})


def test_writes_the_flow_and_its_code(tmp_path):
    (tmp_path / "flows.py").write_text(GOOD)
    for _ in range(2):  # what it has written stays out of the artifact
        done = build("flows.py:first", tmp_path / "out", tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        body = json.loads((tmp_path / "out" / "flow.json").read_text())
        assert set(body) == {"flow_spec"} and body["flow_spec"]["name"] == "first"
        assert zipfile.ZipFile(tmp_path / "out" / "artifact.zip").namelist() == ["flows.py"]
    done = build("flows.py:other", tmp_path / "out", tmp_path)
    assert done.returncode == 0
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["flow.json"]


def test_into_its_own_folder(tmp_path):
    (tmp_path / "flows.py").write_text(GOOD)
    for _ in range(2):
        assert build("flows.py:first", tmp_path, tmp_path).returncode == 0
        assert zipfile.ZipFile(tmp_path / "artifact.zip").namelist() == ["flows.py"]


@pytest.mark.parametrize("text, name, line, message", [
    (GOOD, "", 1, "there are several flows: choose one with FILE:FLOW; there are: first, other"),
    (GOOD, ":third", 1, "there is no flow 'third'; there are: first, second"),
    ("x = 1\n", "", 1, "there is no flow: decorate a function with @flow"),
    ("x = (\n", "", 1, "SyntaxError"),
    ("\nimport nothing_like_this\n", "", 2, "ModuleNotFoundError: No module named"),
    ("\n\nraise SystemExit(3)\n", "", 3, "SystemExit: 3"),
    (GOOD.replace("return work(n)", "return work(n + 1)"), ":first", 9,
     "parameter 'n' is known only"),
    (GOOD.replace("@task", "@task(retries=-1)"), ":first", 3, "task 'work': retries must be"),
    (GOOD.replace("return work(n)", "return work({}[n])"), ":first", 9, "KeyError"),
    (GOOD.replace("(n: int)", "(n)"), ":first", 7, "flow 'first': parameter 'n' needs a type"),
    ("from dagy import flow, task\n@flow\ndef f():\n    task(lambda: 1)()\n", "", 4,
     "the id of task"),
])
def test_errors(tmp_path, text, name, line, message):
    (tmp_path / "flows.py").write_text(text)
    done = build("flows.py" + name, tmp_path / "out", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"flows.py:{line}: "), done.stderr
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("file, message", [
    ("missing.py", "does not exist"), ("a.txt", "is no Python file"),
    ("my-flow.py", "is not the name of a module"), ("json.py", "another module is called json")])
def test_refused_files(tmp_path, file, message):
    for each in ("a.txt", "my-flow.py", "json.py"):
        (tmp_path / each).write_text(GOOD)
    done = build(str(tmp_path / file), tmp_path / "out", SDK)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "flows.py").write_text(GOOD)
    (tmp_path / "out").write_text("a file")
    done = build("flows.py:first", tmp_path / "out", tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("flows.py:1: ")


def test_the_package_works_as_a_zip(tmp_path):
    """The server and the command line carry it as one file."""
    with zipfile.ZipFile(tmp_path / "sdk.zip", "w") as archive:
        for each in (SDK / "dagy").glob("*.py"):
            archive.write(each, f"dagy/{each.name}")
    (tmp_path / "flows.py").write_text(GOOD)
    done = subprocess.run(
        [sys.executable, "-m", "dagy.build", "flows.py:first", "--output", "out"], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "sdk.zip")}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert zipfile.ZipFile(tmp_path / "out" / "artifact.zip").namelist() == ["flows.py", "sdk.zip"]
