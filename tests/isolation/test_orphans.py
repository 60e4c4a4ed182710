"""What a task has hidden does not outlive the server, the spawner, or both."""

import os
import pathlib
import signal
import time

import pytest

import server as servers
from client import Client

SECONDS = 15
# Two processes without environment, session, parent or ear for SIGTERM, one of them forked twice.
TASK = """
setsid -f env -i /bin/sh -c 'trap "" TERM HUP; while :; do /bin/sleep {mark}; done' </dev/null
setsid sh -c '(trap "" TERM; exec env -i setsid -f /bin/sleep {mark})'
echo up
exec sleep {mark}
"""


def processes_with(mark):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text()
            if mark in (path / "cmdline").read_text() and stat.rsplit(")", 1)[1].split()[0] != "Z":
                found.append(int(path.name))
        except OSError:
            pass
    return found


def spawner_of(server):
    children = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/children")
    for pid in " ".join(path.read_text() for path in children).split():
        if pathlib.Path(f"/proc/{pid}/comm").read_text() == "dagy-spawner\n":
            return int(pid)
    raise AssertionError("no spawner")


def start_hider(server, mark):
    """Starts the task and waits until all its processes are there."""
    client = Client(server)
    client = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    spec = {"name": "hider", "tasks": [{"id": "a", "type": "shell",
                                        "config": {"command": TASK.format(mark=mark)}}]}
    client.call("POST /flows", 201, body={"flow_spec": spec})
    client.call("POST /runs", 202, body={"flow_name": "hider"})
    deadline = time.monotonic() + SECONDS
    while len(processes_with(mark)) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(processes_with(mark)) >= 4  # the shell that waits for its sleep is one more


@pytest.mark.parametrize("victims", [("server",), ("spawner",), ("spawner", "server"),
                                     ("server", "spawner")], ids=lambda names: "+".join(names))
def test_nothing_outlives(tmp_path, victims):
    mark = f"98{time.monotonic_ns() % 10 ** 9}"
    server = servers.Server(tmp_path).start()
    start_hider(server, mark)
    pids = {"server": server.process.pid, "spawner": spawner_of(server)}
    for victim in victims:
        os.kill(pids[victim], signal.SIGKILL)
    server.wait()  # without its spawner a server ends too
    deadline = time.monotonic() + SECONDS
    while processes_with(mark) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert processes_with(mark) == []


def test_the_next_server_starts_after_the_last_of_them(tmp_path):
    mark = f"97{time.monotonic_ns() % 10 ** 9}"
    server = servers.Server(tmp_path, DAGY_DRAIN_SECONDS=0).start()
    start_hider(server, mark)
    before = set(processes_with(mark))
    for pid in (spawner_of(server), server.process.pid):
        os.kill(pid, signal.SIGKILL)
    server.wait()
    server.start()
    assert not before & set(processes_with(mark))
    assert server.stop() == 0
