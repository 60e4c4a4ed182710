"""Readers beside a server that writes: the write-ahead log stays bounded beside its own readers; a
reader of another program makes it grow, is reported, and leaves nothing behind.

DAGY_FAULT_READER_SECONDS=600 for the long version."""

import os
import sqlite3
import threading
import time

import pytest

import check
import processes
from load import Caller, Lost

pytestmark = pytest.mark.sqlite_only("about the write-ahead log of SQLite")
SECONDS = float(os.environ.get("DAGY_FAULT_READER_SECONDS", "4"))
PAGE_BYTES = 4096
HARD_BYTES = 8000 * PAGE_BYTES  # limits::checkpoint_pages_hard
KEPT_BYTES = 16_000 * PAGE_BYTES  # limits::log_pages_kept
RETRY_SECONDS = 5  # limits::long_log_retry
WRITERS = 3
PAUSE_SECONDS = 0.1 if SECONDS > 60 else 0  # of a writer, for the sake of the disk
READERS = 6
PARAMETER = "x" * 50_000  # of each run, so that much is written


class Threads:
    """Callers that do one thing again and again, and say how long each took."""

    def __init__(self, server, token, actions):
        self.stopping = threading.Event()
        self.seconds = []
        self.problems = []
        self.threads = [threading.Thread(target=self._work, args=(Caller(server, token), action))
                        for action in actions]
        for thread in self.threads:
            thread.start()

    def _work(self, caller, action):
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                action(caller)
            except (AssertionError, Lost) as error:
                self.problems.append(repr(error))
                return
            self.seconds.append(time.monotonic() - began)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems[:3]


def start_run(caller):
    time.sleep(PAUSE_SECONDS)
    status, answer = caller.call("POST", "/runs", {
        "flow_name": "big", "parameters": {"text": PARAMETER}, "wait_seconds": 10})
    assert status == 200 and answer["status"] == "SUCCEEDED", answer


def read(caller):
    caller.get("/runs?limit=20")


def log_bytes(server):
    return server.database.path.with_name("dagy.db-wal").stat().st_size


def start(make_server):
    server = make_server().start()
    caller = Caller(server).log_in()
    caller.register({"name": "big", "parameters": [{"name": "text", "type": "string"}],
                     "tasks": [{"id": "a", "type": "noop"}]})
    return server, caller


def watch(server, seconds, at_least_written):
    """The longest the log was; until so much time has passed and so much was written."""
    longest = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or server.database.path.stat().st_size < at_least_written:
        longest = max(longest, log_bytes(server))
        assert time.monotonic() < deadline + 60
        time.sleep(0.02)
    return longest


def check_end(server):
    assert server.stop() == 0
    ended = check.finished_runs(server, [])
    return len(ended)


def test_readers_without_a_gap(make_server):
    server, caller = start(make_server)
    threads = Threads(server, caller.token, [start_run] * WRITERS + [read] * READERS)
    longest = watch(server, SECONDS, at_least_written=4 * HARD_BYTES)
    threads.stop()
    runs = check_end(server)
    print(f"{runs} runs, the log at most {longest >> 20} MiB")
    assert longest < 3 * HARD_BYTES


def test_a_reader_of_another_program(make_server):
    server, caller = start(make_server)
    reader = sqlite3.connect(f"file:{server.database.path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    seen = reader.execute("SELECT COUNT(*) FROM run").fetchone()
    threads = Threads(server, caller.token, [start_run] * WRITERS + [read] * 2)
    deadline = time.monotonic() + SECONDS
    # What is written stays in the log, so it has all of it.
    processes.wait_until(
        lambda: time.monotonic() > deadline and log_bytes(server) > 1.2 * KEPT_BYTES, SECONDS + 60,
        "a long log")
    threads.stop()
    longest = log_bytes(server)
    assert "keeps the write-ahead log" in server.log()
    assert reader.execute("SELECT COUNT(*) FROM run").fetchone() == seen  # its snapshot stands
    reader.execute("ROLLBACK")
    reader.close()
    # Nobody writes any more: it is cut all the same.
    processes.wait_until(lambda: log_bytes(server) <= KEPT_BYTES, 4 * RETRY_SECONDS, "a short log")
    slowest = sorted(threads.seconds)[int(0.99 * len(threads.seconds))]
    runs = check_end(server)
    print(f"{runs} runs, the log at most {longest >> 20} MiB, p99 of a call {slowest * 1000:.0f} ms")
