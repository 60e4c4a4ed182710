"""A disk that is nearly full, full, and has room again, under a server that is at work."""

import errno
import os
import subprocess
import threading

import pytest

import check
import processes
from load import Caller, noop

pytestmark = pytest.mark.sqlite_only("the database is on the disk that is full")
MEGABYTE = 1 << 20
DISK_BYTES = 160 * MEGABYTE
FREE_BYTES_MIN = 64 * MEGABYTE  # limits::free_disk_bytes_min
SECONDS = 30
CHAIN = {"name": "chain", "tasks": [noop("a"), noop("b", ["a"]), noop("c", ["b"])]}


@pytest.fixture
def small_disk(tmp_path):
    """The server's data directory, on a file system of its own."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", path],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"absent here: a small file system ({made.stderr.strip()})")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def fill(path, bytes_left):
    """Takes the room of the disk but for about so many bytes; 0: all there is."""
    info = os.statvfs(path)
    room = info.f_bavail * info.f_frsize - max(bytes_left, MEGABYTE)
    with open(path / "filler", "ab", buffering=0) as filler:
        if room > 0:
            os.posix_fallocate(filler.fileno(), filler.tell(), room)
        filler.seek(0, os.SEEK_END)
        try:
            while bytes_left == 0:
                filler.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error


class Requests:
    """A client that goes on starting runs, and notes what it is told."""

    def __init__(self, server, token):
        self.caller = Caller(server, token)
        self.acknowledged = []
        self.refused = []
        self.problems = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self):
        while not self.stopping.wait(0.01):
            try:
                status, answer = self.caller.call("POST", "/runs", {"flow_name": "chain"})
            except Exception as error:  # a thread must not die in silence
                self.problems.append(repr(error))
                return
            if status == 202:
                self.acknowledged.append(answer["run_id"])
            else:
                self.refused.append((status, answer["detail"]))

    def next_answers(self, told, count=5):
        """Waits until `told` has grown."""
        before = len(told)
        processes.wait_until(lambda: self.problems or len(told) >= before + count, SECONDS, "answers")
        assert not self.problems, self.problems

    def stop(self):
        self.stopping.set()
        self.thread.join()
        assert not self.problems, self.problems


def store_health(caller):
    status, answer = caller.call("GET", "/health")
    return status, next(each for each in answer["components"] if each["name"] == "store")


def gated(gate):
    """A task that runs until the gate opens, and then says much."""
    return {"name": "gated", "tasks": [
        {"id": "task", "type": "shell", "config": {
            "command": f"while [ ! -e {gate} ]; do sleep 0.02; done; seq 100; echo 7"}},
        noop("after", ["task"])]}


def ended(caller, run_id):
    return processes.wait_until(
        lambda: (run := caller.get(f"/runs/{run_id}"))["finished_at"] and run, SECONDS, run_id)


@pytest.fixture
def at_work(make_server, small_disk, tmp_path):
    """A server on the small disk, one run that is held at a gate, and one client that starts more."""
    gate = tmp_path / "gate"
    server = make_server().start()
    caller = Caller(server).log_in()
    caller.register(CHAIN)
    caller.register(gated(gate))
    status, held = caller.call("POST", "/runs", {"flow_name": "gated"})
    assert status == 202
    processes.wait_until(lambda: processes.of_attempts(server.data_dir), SECONDS, "the task")
    requests = Requests(server, caller.token)
    yield server, caller, requests, held["run_id"], gate
    requests.stopping.set()


def check_end(server, caller, requests, held):
    """The disk has room again: everything goes on by itself, and nothing that was promised is gone.
    Returns the finished runs."""
    requests.next_answers(requests.acknowledged)
    requests.stop()
    for run_id in [*requests.acknowledged, held]:
        assert ended(caller, run_id)["status"] == "SUCCEEDED"
    log = [line["message"] for line in caller.items(f"/runs/{held}/logs")]
    assert log == [*map(str, range(1, 101)), "7"]
    assert store_health(caller)[1]["status"] == "healthy"
    assert server.stop() == 0, server.log()
    return check.finished_runs(server, requests.acknowledged)


def test_nearly_full(at_work, small_disk):
    """New runs are refused while little is left; what runs goes on to its end."""
    server, caller, requests, held, gate = at_work
    requests.next_answers(requests.acknowledged)
    fill(small_disk, FREE_BYTES_MIN // 2)
    requests.next_answers(requests.refused)
    assert {status for status, _ in requests.refused} == {503}
    assert all("disk" in detail for _, detail in requests.refused), requests.refused[:3]
    status, component = store_health(caller)
    assert (status, component["status"]) == (200, "degraded") and "disk" in component["message"]
    gate.touch()
    assert ended(caller, held)["status"] == "SUCCEEDED"
    (small_disk / "filler").unlink()
    check_end(server, caller, requests, held)


def test_full(at_work, small_disk):
    """Nothing can be written: the end of a task is kept until it can; the API answers meanwhile."""
    server, caller, requests, held, gate = at_work
    requests.next_answers(requests.acknowledged)
    fill(small_disk, 0)
    gate.touch()
    requests.next_answers(requests.refused)
    assert {status for status, _ in requests.refused} == {503}
    processes.wait_until(lambda: "engine commit failed" in server.log(), SECONDS, "a refused commit")
    assert caller.get(f"/runs/{held}")["status"] == "RUNNING"
    processes.wait_until(lambda: store_health(caller)[1]["status"] == "degraded", SECONDS, "health")
    # Of what else can be asked for, all is answered, with a clear error where it must be written.
    status, answer = caller.call("POST", "/flows", {"flow_spec": {**CHAIN, "name": "other"}})
    assert status == 503 and "full" in answer["detail"], (status, answer)
    assert caller.get("/runs?limit=1")["items"]
    (small_disk / "filler").unlink()
    check_end(server, caller, requests, held)


def test_killed_while_full(at_work, small_disk):
    """The next start says that the disk is full; it works as soon as there is room."""
    server, caller, requests, held, gate = at_work
    requests.next_answers(requests.acknowledged)
    fill(small_disk, 0)
    requests.next_answers(requests.refused)
    requests.stop()
    server.process.kill()
    assert server.wait() == -9
    caller.close()
    fill(small_disk, 0)
    gate.touch()
    with pytest.raises(AssertionError, match="did not start"):
        server.start()
    assert server.wait() == 4
    assert "disk is full" in server.log().splitlines()[-1]
    (small_disk / "filler").unlink()
    server.start()
    later = Requests(server, caller.token)
    finished = check_end(server, caller, later, held)
    assert {check.number_of(run_id) for run_id in requests.acknowledged} <= set(finished)
