"""`dagy run` of a flow file without a server."""

import json
import os
import signal
import time

import flow_files as flows


def test_yaml_file_runs_without_a_server(alone):
    (alone.home / "words.yaml").write_text(flows.WORDS_YAML)
    done = alone.raw("run", "words.yaml", "-p", "text=one two")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"count": {"words": 2, "no": "no"}}
    progress = done.stderr.decode()
    assert "| counting" in progress and "SUCCEEDED after" in progress
    assert "1 of 1 tasks succeeded" in progress
    assert "\033" not in progress
    assert list((alone.home / "tmp").iterdir()) == []
    assert not alone.config.exists()


def test_parameters(alone):
    (alone.home / "words.yaml").write_text(flows.WORDS_YAML)
    (alone.home / "given.json").write_text('{"text": "a b c d"}')
    run = ("run", "words.yaml")
    assert json.loads(alone(*run))["count"]["words"] == 3
    assert json.loads(alone(*run, "--parameters", "@given.json"))["count"]["words"] == 4
    assert json.loads(alone(*run, "--parameters", '{"text": "a"}'))["count"]["words"] == 1
    assert json.loads(alone(*run, "--parameters", "@given.json", "-p", "text=x"))["count"]["words"] == 1
    assert "must be name=value" in alone(*run, "-p", "text", code=2)
    assert "must be JSON" in alone(*run, "--parameters", "{", code=2)
    assert "must be an object" in alone(*run, "--parameters", "[]", code=2)
    assert "text" in alone(*run, "-p", "text=5", code=2)  # refused by the flow's own rule


def test_failed_run_is_exit_code_1(alone):
    path = flows.write(alone.home, "bad", flows.shell("one", "echo here; exit 7"))
    text = alone("run", path, code=1)
    assert "FAILED" in text and "exit code 7" in text and "| here" in text


def test_formats(alone):
    path = flows.write(alone.home, "good", flows.shell("one", "echo '\"no\"'"))
    run = json.loads(alone("run", path, "--output", "json"))
    assert run["status"] == "SUCCEEDED" and run["task_runs"][0]["task_id"] == "one"
    assert "status: SUCCEEDED\n" in alone("run", path, "-o", "yaml")


def test_data_directory_is_kept_and_used_again(alone):
    path = flows.write(alone.home, "good", flows.shell("one", "echo 1"))
    for _ in range(2):
        alone("run", path, "--data-dir", "kept")
    assert (alone.home / "kept" / "dagy.db").exists()


def test_files_that_cannot_be_run(alone):
    def refusal(name, text, code=2):
        if text is not None:
            (alone.home / name).write_text(text)
        return alone("run", name, code=code)

    assert "FILE.json" in refusal("flow.txt", "{}")
    assert "No such file" in refusal("absent.json", None)
    assert "cut.json: " in refusal("cut.json", "{")
    assert "twice.yaml: line 2, column 1: 'a' is there twice" in refusal("twice.yaml", "a: 1\na: 2")
    assert "must be an object" in refusal("list.json", "[]")
    assert "/flow_spec/tasks" in refusal("empty.json", '{"name": "x"}')
    (alone.home / "folder.json").mkdir()
    assert "directory" in refusal("folder.json", None)


def test_text_of_files(alone):
    (alone.home / "say.sh").write_text("echo from a file\n")
    path = flows.write(alone.home, "including", flows.shell("one", {"file": "say.sh"}))
    done = alone.raw("run", path)
    assert done.returncode == 0 and b"| from a file" in done.stderr
    (alone.home / "say.sh").write_bytes(b"\xff")
    assert "say.sh is not UTF-8" in alone("run", path, code=2)
    (alone.home / "say.sh").unlink()
    assert "say.sh" in alone("run", path, code=2)


def test_interrupt_cancels_and_ends_the_processes(alone):
    path = flows.write(alone.home, "long", flows.shell("one", "echo started; sleep 1000.25"))
    process = alone.start("run", path)
    for line in process.stderr:
        if b"| started" in line:
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read().decode()
    assert process.wait(timeout=30) == 130
    assert "CANCELLED" in rest
    assert list((alone.home / "tmp").iterdir()) == []
    deadline = time.monotonic() + 10
    while any(_command(pid) == "sleep\0" + "1000.25\0" for pid in os.listdir("/proc")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def test_on_a_terminal(alone):
    path = flows.write(alone.home, "good", flows.shell("one", "printf 'a\\033[31mb\\n'"))
    text = alone.on_terminal("run", path)
    assert "\033[32mSUCCEEDED" in text and "a\\x1b[31mb" in text
    text = alone.on_terminal("run", path, variables={"NO_COLOR": "1"})
    assert "\033[32m" not in text and "SUCCEEDED" in text


def test_tasks_do_not_see_the_credential(alone):
    path = flows.write(alone.home, "environment", flows.shell("one", "env"))
    done = alone.raw("run", path, variables={"DAGY_TOKEN": "dagy_at_of_mine"})
    assert done.returncode == 0 and b"| PATH=" in done.stderr
    assert b"dagy_at_of_mine" not in done.stderr


def test_large_output_and_many_lines(alone):
    many = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
    path = flows.write(alone.home, "lines", flows.shell("one", many))
    done = alone.raw("run", path)
    assert done.returncode == 0 and done.stderr.count(b"| line ") == 3000
    code = "def main():\n    return 'x' * 300000\n"
    path = flows.write(alone.home, "large", {"id": "one", "type": "python", "config": {"code": code}})
    done = alone.raw("run", path)
    assert done.returncode == 0 and b"too large to be shown" in done.stderr


def test_bytes_that_are_no_text(alone):
    path = flows.write(alone.home, "bytes", flows.shell("one", "printf 'a\\377b\\n'"))
    done = alone.raw("run", path)
    assert done.returncode == 0 and "| a\ufffdb" in done.stderr.decode()


def test_python_file(alone):
    """The SDK in the program builds it."""
    (alone.home / "hello.py").write_text("this is not Python\n")
    text = alone("run", "hello.py", code=2)
    assert "hello.py: " in text
    assert "No such file" in alone("run", "absent.py:flow", code=2)
