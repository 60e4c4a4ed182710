"""Does what the README tells a newcomer to do, word by word, and holds what is printed against it.

In a copy of the tree, with the build of this one. The port is another one; figures, which are those of
somebody's machine, count as equal to any others.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CHAPTERS = ("Five minutes", "Decisions on the way", "A flow in Python, and the command line")
BLOCK = re.compile(r"^```(sh)?\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
SECONDS = 300
MARK = "== end of block =="


def blocks(chapter):
    """Pairs of commands and of what they print; None where the README does not say."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    body = text.split(f"\n## {chapter}\n", 1)[1].split("\n## ", 1)[0]
    found = []
    for match in BLOCK.finditer(body):
        is_command, content = match.group(1) == "sh", match.group(2)
        if is_command:
            found.append([content, None])
        elif found:  # what stands before the first command is an excerpt of something else
            found[-1][1] = content
    return found


def comparable(text):
    return [re.sub(r"\d+", "#", line) for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    copy = tmp_path_factory.mktemp("tour") / "dagy"
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True,
                             check=True).stdout.splitlines()
    for name in tracked:
        if name.startswith(("dev", "tools/", "examples/", "scripts/", "sdk/", "CMakePresets.json")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, copy / name)
    (copy / "build").symlink_to(REPOSITORY / "build")
    copy.parent.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAGY_")}
    environment = {**kept, "DAGY_PORT": str(port), "DAGY_URL": f"http://localhost:{port}",
                   "HOME": str(copy.parent), "NO_COLOR": "1"}
    yield copy, environment
    subprocess.run(["./dev", "down"], cwd=copy, env=environment, timeout=SECONDS)


def test_the_tour(tree):
    copy, environment = tree
    script, expected = ["set -eu", "./dev up >up.log 2>&1"], []
    for chapter in CHAPTERS:
        for commands, printed in blocks(chapter):
            script += [commands, f"echo '{MARK}'"]
            expected.append((commands, printed))
    assert len(expected) >= 5
    text = "\n".join(script).replace("localhost:8000", f"localhost:{environment['DAGY_PORT']}")
    done = subprocess.run(["bash", "-c", text], cwd=copy, env=environment, capture_output=True,
                          text=True, timeout=SECONDS)
    up_log = (copy / "up.log").read_text(encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr + up_log
    assert "9 of 9 tasks succeeded" in up_log
    for (commands, printed), answer in zip(expected, done.stdout.split(MARK)):
        if printed is not None:
            lines = comparable(answer)
            assert lines[-len(comparable(printed)):] == comparable(printed), commands
