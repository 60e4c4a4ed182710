"""Tasks that print without measure: the server stays small, answers, and stores no more than its cap."""

import pathlib
import threading
import time

from load import Caller

MEGABYTE = 1_000_000
LOG_BYTES_MAX = 100 << 20  # limits::log_bytes_max
MEMORY_MB_MAX = 400
ANSWER_SECONDS = 2


def peak_mb(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def printing(caller, name, command, seconds=120):
    """One run of a command; returns the run and the slowest other answer meanwhile."""
    caller.register({"name": name, "tasks": [
        {"id": "task", "type": "shell", "config": {"command": command}}]})
    slowest = [0.0]
    done = threading.Event()

    def ask():
        other = Caller(caller.server, caller.token)
        while not done.is_set():
            began = time.monotonic()
            other.get("/me")
            slowest[0] = max(slowest[0], time.monotonic() - began)
            time.sleep(0.02)

    asker = threading.Thread(target=ask)
    asker.start()
    status, run = caller.call("POST", "/runs", {"flow_name": name, "wait_seconds": 25})
    deadline = time.monotonic() + seconds
    while not run.get("finished_at") and time.monotonic() < deadline:
        time.sleep(0.1)
        run = caller.get(f"/runs/{run['run_id']}")
    done.set()
    asker.join()
    assert status in (200, 202) and run["status"] == "SUCCEEDED", run
    return run, slowest[0]


def test_a_gigabyte_of_text(make_server):
    server = make_server().start()
    caller = Caller(server).log_in()
    run, slowest = printing(caller, "much", "head -c 800000000 /dev/urandom | base64; echo done")
    assert run["output"] == "done" or run["output"] == {"task": "done"}
    assert slowest < ANSWER_SECONDS
    assert peak_mb(server) < MEMORY_MB_MAX
    # Base64 of chance does not shrink below three quarters.
    assert server.database.size() < 1.3 * LOG_BYTES_MAX
    assert server.stop() == 0


def test_a_line_of_fifty_megabytes_and_bytes_that_are_no_text(make_server):
    server = make_server().start()
    caller = Caller(server).log_in()
    _, slowest = printing(caller, "long", "head -c 50000000 /dev/zero | tr '\\0' x; echo; echo 1")
    assert slowest < ANSWER_SECONDS
    run, slowest = printing(caller, "bytes", "head -c 20000000 /dev/urandom; echo; echo 2")
    assert slowest < ANSWER_SECONDS
    for line in caller.get(f"/runs/{run['run_id']}/logs?limit=20")["items"]:
        assert isinstance(line["message"], str)
    assert peak_mb(server) < MEMORY_MB_MAX
    assert server.stop() == 0
