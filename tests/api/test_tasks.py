"""What the node types do: shell, python, transform, noop; retries and timeouts."""

import pytest

from flows import logs, python, run, shell, task, task_of, transform


# By which the server finds every process of an attempt.
MARK = "DAGY_ATTEMPT_TOKEN"


def only(client, one_task, **keys):
    """The task run of a flow of one task."""
    view = run(client, [one_task], **keys)
    ended = view["task_runs"][0]
    assert view["status"] == ("SUCCEEDED" if ended["status"] == "SUCCEEDED" else "FAILED")
    return ended


def failure(client, one_task, **keys):
    ended = only(client, one_task, **keys)
    assert ended["status"] in ("FAILED", "TIMED_OUT") and ended["output"] is None
    return ended["error"]


# ---- shell ----

@pytest.mark.parametrize("command, output", [
    ("true", None), ("echo", ""), ("echo hello", "hello"), ("echo 5", 5), ("echo '{\"a\":[1]}'", {"a": [1]}),
    ("echo one; echo two", "two"), ("printf 'no newline'", "no newline"), ("echo true", True),
    ("echo '\"text\"'", "text"), ("echo null", None), ("echo '{bad'", "{bad"),
    ("echo out; echo err >&2", "out"), (["printf", "%s", "a b"], "a b"), (["echo", "$HOME", "*"], "$HOME *"),
])
def test_shell_output(owner, command, output):
    ended = only(owner, shell("a", command))
    assert ended["status"] == "SUCCEEDED" and ended["output"] == (output or None)


@pytest.mark.parametrize("command, message", [
    ("exit 3", "exit code 3"), ("kill -9 $$", "signal 9 (SIGKILL)"), ("kill $$", "signal 15"),
    ("no_such_program", "exit code 127"), (["false"], "exit code 1"),
])
def test_shell_failures(owner, command, message):
    error = failure(owner, shell("a", command))
    assert error["kind"] == "exit_code" and message in error["message"]


def test_a_last_line_that_is_too_long_gives_no_part_of_itself(owner):
    long_line = "head -c 65537 /dev/zero | tr '\\0' 7; echo"
    error = failure(owner, shell("a", long_line))
    assert error["kind"] == "invalid_result" and "65536" in error["message"]
    assert only(owner, shell("a", long_line + "; echo short"))["output"] == "short"
    assert only(owner, shell("a", long_line + "; echo"))["output"] is None
    fits = only(owner, shell("a", "head -c 65536 /dev/zero | tr '\\0' x"))
    assert fits["output_ref"]["bytes"] == 65538


def test_a_program_that_is_not_there(owner):
    error = failure(owner, shell("a", ["/no/such/program"]))
    assert error["kind"] == "start_error" and "/no/such/program" in error["message"]


def test_a_working_directory_that_is_not_there(owner):
    config = {"command": "pwd", "working_directory": "/no/such/directory"}
    assert failure(owner, task("a", "shell", config))["kind"] == "start_error"
    config["working_directory"] = "/"
    assert only(owner, task("a", "shell", config))["output"] == "/"


def test_what_a_shell_task_sees(owner):
    spec = shell("see", "env | sort", env={"MINE": "yes", "PATH": "/usr/bin:/bin"})
    view = run(owner, [spec])
    seen = dict(line["message"].split("=", 1) for line in logs(owner, view["run_id"]))
    for name in ("PWD", "OLDPWD", "SHLVL", "_", MARK):
        seen.pop(name, None)
    assert seen.pop("TRACEPARENT").startswith("00-")
    assert seen.pop("HOME") and seen.pop("LANG") == "C.UTF-8"
    assert seen == {"MINE": "yes", "PATH": "/usr/bin:/bin", "DAGY_RUN_ID": view["run_id"],
                    "DAGY_TASK_ID": "see", "DAGY_ATTEMPT": "1",
                    "DAGY_IDEMPOTENCY_KEY": view["run_id"] + ":see"}


def test_inputs_are_json_on_standard_input(owner):
    inputs = {"n": {"literal": 1}, "nothing": {"literal": None}, "text": {"literal": "\"é\n"}}
    ended = only(owner, shell("a", "cat", inputs=inputs))
    assert ended["output"] == {"n": 1, "nothing": None, "text": "\"é\n"}
    assert only(owner, shell("a", "cat"))["output"] == {}


def test_a_task_need_not_read_its_input(owner):
    big = {"x": {"literal": "x" * 300_000}}
    assert only(owner, shell("a", "echo done", inputs=big))["output"] == "done"


def test_tasks_of_a_run_share_a_directory_and_runs_do_not(owner):
    view = run(owner, [shell("write", "echo content > shared; pwd"),
                       shell("read", "cat shared", depends_on=["write"])])
    assert task_of(view, "read")["output"] == "content"
    directory = task_of(view, "write")["output"]
    assert only(owner, shell("a", f"ls; [ $(pwd) != {directory} ]"))["output"] is None


# ---- python ----

@pytest.mark.parametrize("code, output", [
    ("def main(): return {'a': [1, 2.5, None, True, 'é']}", {"a": [1, 2.5, None, True, "é"]}),
    ("def main(): pass", None),
    ("def main(**inputs): return inputs", {"x": 7}),
    ("def main(x, y=3): return x + y", 10),
    ("main = lambda x: x * 6", 42),
    ("from dagy import context\ndef main(x): return context.attempt", 1),
    ("def main(x): return 12345678901234567890123", 12345678901234567890123),
])
def test_python_output(owner, code, output):
    inputs = {"x": {"literal": 7}} if "x" in code or "inputs" in code else {}
    assert only(owner, python("a", code, inputs=inputs))["output"] == output


@pytest.mark.parametrize("code, kind, message", [
    ("def main(): raise ValueError('no')", "exception:ValueError", "ValueError: no"),
    ("class Own(Exception): pass\ndef main(): raise Own()", "exception:Own", "Own"),
    ("def main(): return 1/0", "exception:ZeroDivisionError", "division by zero"),
    ("def main(:", "exception:SyntaxError", "invalid syntax"),
    ("import no_such_module", "exception:ModuleNotFoundError", "no_such_module"),
    ("x = 1", "exception:TypeError", "no function main"),
    ("def main(x): return x", "exception:TypeError", "missing 1 required"),
    ("def main(): return {1, 2}", "invalid_result", "not JSON"),
    ("def main(): return float('nan')", "invalid_result", "not JSON"),
    ("def main(): return '\\ud800'", "invalid_result", "not JSON"),
    ("def main(): return 'a\\0b'", "invalid_result", ""),
    ("import sys\ndef main(): sys.exit(4)", "exit_code", "exit code 4"),
    ("import os\ndef main(): os._exit(0)", "invalid_result", "without a result"),
    ("import os\ndef main(): os._exit(5)", "exit_code", "exit code 5"),
    ("import os\ndef main(): os.abort()", "exit_code", "SIGABRT"),
    ("def main():\n  x = []\n  x.append(x)\n  return x", "invalid_result", "not JSON"),
    ("def main():\n  x = 1\n  for _ in range(100): x = [x]\n  return x", "invalid_result", "64"),
])
def test_python_failures(owner, code, kind, message):
    error = failure(owner, python("a", code))
    assert error["kind"] == kind and message in error["message"], error


def test_a_traceback_is_in_the_log(owner):
    view = run(owner, [python("a", "def main():\n    print('before')\n    raise KeyError('k')")])
    lines = [item["message"] for item in logs(owner, view["run_id"])]
    assert "before" in lines and "KeyError: 'k'" in lines
    assert any("line 3" in line for line in lines)


def test_a_very_long_error_is_cut(owner):
    error = failure(owner, python("a", "def main(): raise ValueError('x' * 1_000_000)"))
    assert 1000 < len(error["message"]) <= 8192


# ---- transform ----

@pytest.mark.parametrize("program, output", [
    (".", {"inputs": {"x": [1, 2]}, "parameters": {"p": 5}}), (".inputs.x | add", 3),
    (".parameters.p", 5), ("null", None), ("\"text\"", "text"), ("[.inputs.x[] * 2]", [2, 4]),
    ("# comment\n.inputs.x | length", 2),
])
def test_transform_output(owner, program, output):
    ended = only(owner, transform("a", program, inputs={"x": {"literal": [1, 2]}}),
                 parameters=[{"name": "p", "type": "integer", "default": 5}])
    assert ended["output"] == output


@pytest.mark.parametrize("program, kind, message", [
    ("empty", "invalid_result", "no result"), (".inputs[]", "invalid_result", "more than one"),
    ("1, 2", "invalid_result", "more than one"), (".inputs.x.y", "exit_code", "exit code 5"),
    ("syntax error(", "exit_code", "exit code 3"), ("error(\"x\")", "exit_code", "exit code 5"),
    ("1, error(\"x\")", "exit_code", "exit code 5"),
])
def test_transform_failures(owner, program, kind, message):
    inputs = {"x": {"literal": [1, 2]}, "y": {"literal": 1}}
    error = failure(owner, transform("a", program, inputs=inputs))
    assert error["kind"] == kind and message in error["message"], error


def test_a_program_sees_no_environment(owner):
    assert only(owner, transform("a", "env | keys"))["output"] == []


# ---- retries ----

FLAKY = "echo attempt $DAGY_ATTEMPT; [ $DAGY_ATTEMPT -ge 3 ] && echo 7"


def test_retries_until_it_succeeds(owner):
    ended = only(owner, shell("a", FLAKY, retries=5, retry_delay_seconds=[0.01, 0]))
    assert ended["status"] == "SUCCEEDED" and ended["attempt"] == 3 and ended["output"] == 7
    assert ended["error"] is None
    earlier = ended["earlier_attempts"]
    assert [each["attempt"] for each in earlier] == [1, 2]
    assert {each["error"]["kind"] for each in earlier} == {"exit_code"}
    assert ended["started_at"] <= earlier[0]["finished_at"] <= earlier[1]["started_at"]


def test_retries_are_used_up(owner):
    ended = only(owner, shell("a", "exit 9", retries=2))
    assert ended["status"] == "FAILED" and ended["attempt"] == 3
    assert ended["error"] == {"kind": "exit_code", "message": "exit code 9"}
    assert len(ended["earlier_attempts"]) == 2


@pytest.mark.parametrize("retry_on, attempts", [
    (["exception:ValueError"], 2), (["exception:KeyError", "exception:ValueError"], 2),
    (["exception:KeyError"], 1), (["exit_code"], 1), (["timeout"], 1), ([], 1), (None, 2),
])
def test_retry_on(owner, retry_on, attempts):
    keys = {} if retry_on is None else {"retry_on": retry_on}
    ended = only(owner, python("a", "def main(): raise ValueError", retries=1, **keys))
    assert ended["attempt"] == attempts


# ---- timeouts ----

def test_a_task_that_takes_too_long(owner):
    ended = only(owner, shell("a", "echo began; sleep 600", timeout_seconds=0.3))
    assert ended["status"] == "TIMED_OUT" and ended["error"]["kind"] == "timeout"
    assert ended["finished_at"]


def test_a_timeout_is_retried_as_a_timeout(owner):
    command = "[ $DAGY_ATTEMPT = 2 ] || sleep 600"
    for kinds, status in ((["timeout"], "SUCCEEDED"), (["exit_code"], "TIMED_OUT")):
        ended = only(owner, shell("a", command, timeout_seconds=0.5, retries=1, retry_on=kinds))
        assert ended["status"] == status
